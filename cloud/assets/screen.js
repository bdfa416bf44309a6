// The screen of a terminal, live or replayed, within the page's policy.

// The page's policy takes no style that is written into it. What the terminal writes as style elements and attributes
// goes the way that the policy leaves to scripts: sheets that they make and properties that they set.
function styleWithinPolicy() {
  const make = document.createElement.bind(document);
  document.createElement = (name, options) => {
    if (String(name).toLowerCase() !== "style") return make(name, options);
    const [element, sheet] = [make("i"), new CSSStyleSheet()];
    element.hidden = true;
    document.adoptedStyleSheets.push(sheet);
    Object.defineProperty(element, "textContent", { set: (css) => sheet.replaceSync(css) });
    element.remove = () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((known) => known !== sheet);
      Element.prototype.remove.call(element);
    };
    return element;
  };
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else set.call(this, name, value);
  };
}

let patched = false;

// What makes a terminal in an element; `xterm` is the address of xterm.js.
export async function load(xterm) {
  if (!patched) styleWithinPolicy();
  patched = true;
  const { Terminal } = await import(xterm);
  return (element, options) => {
    const terminal = new Terminal({ scrollback: 5000, fontSize: 14, cursorInactiveStyle: "block", ...options });
    terminal.open(element);
    return terminal;
  };
}
