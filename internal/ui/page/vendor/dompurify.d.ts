// What the page uses of DOMPurify.
declare const DOMPurify: {
  sanitize(dirty: string, config: any): DocumentFragment;
  addHook(name: string, hook: (node: any, data: any) => void): void;
};
export default DOMPurify;
