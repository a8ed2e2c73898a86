// What the page uses of marked.
export class Marked {
  constructor(...extensions: any[]);
  parse(text: string, options?: any): string;
  parseInline(text: string, options?: any): string;
}
