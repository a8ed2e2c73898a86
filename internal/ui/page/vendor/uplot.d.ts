// What the page uses of uPlot.
export default class uPlot {
  constructor(options: any, data: any, target: HTMLElement);
  root: HTMLElement;
  bbox: { left: number; top: number; width: number; height: number };
  cursor: { idx: number | null; left: number };
  ctx: CanvasRenderingContext2D;
  setData(data: any): void;
  setSize(size: { width: number; height: number }): void;
  destroy(): void;
  valToPos(value: number, scale: string, canvas?: boolean): number;
  static paths: { bars(options: any): any; linear(): any; spline(): any };
}
