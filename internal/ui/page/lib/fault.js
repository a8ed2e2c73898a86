// What failed, in the place that failed: what, then what to do, then the request's id.
import { html, Component } from "./html.js";
import { Fault } from "./api.js";
import { Icon } from "./glyph.js";
import { Copy } from "./clip.js";

/**
 * A note about an error. what: "The runs could not be read." retry: what to try again.
 * @param {{error: any, what?: string, retry?: () => void}} props
 */
export function Trouble({ error, what, retry }) {
  const id = error instanceof Fault ? error.requestID : "";
  return html`<div class="note-box trouble" data-s="failed" role="alert">
    <${Icon} name="warn" />
    <div class="grow"><b>${what}</b>${what ? " " : ""}${error?.message || String(error)}
      ${id && html`<div class="row small dim"><code class="id">${id}</code><${Copy} text=${id} label="Copy the request’s id" /></div>`}</div>
    ${retry && html`<button class="btn small" type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

/** Keeps an error of one part from taking the page along. */
export class Guard extends Component {
  constructor() {
    super();
    this.state = { error: null };
  }
  /** @param {any} error */
  static getDerivedStateFromError(error) {
    return { error };
  }
  /** @param {any} error */
  componentDidCatch(error) {
    reportError(error); // to the console, where tests look
  }
  render() {
    if (!this.state.error) return this.props.children;
    return html`<${Trouble} error=${this.state.error} what="This part of the page has failed." retry=${() => this.setState({ error: null })} />`;
  }
}
