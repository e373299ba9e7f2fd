//! One xterm.js emulator, as `web/js/terminal.ts` hands it out.

use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;

use crate::app::page::Page;

#[wasm_bindgen]
extern "C" {
    /// The emulator.
    pub type XTerm;

    #[wasm_bindgen(js_namespace = sandbar, js_name = openTerminal)]
    fn open_terminal(
        host: &HtmlElement,
        label: &str,
        data: &JsValue,
        size: &JsValue,
        url: &JsValue,
        lookup: &JsValue,
        object: &JsValue,
        focus: &JsValue,
    ) -> XTerm;

    #[wasm_bindgen(method)]
    fn write(this: &XTerm, text: &str);
    #[wasm_bindgen(method)]
    fn focus(this: &XTerm);
    #[wasm_bindgen(method)]
    fn label(this: &XTerm, text: &str);
    #[wasm_bindgen(method)]
    fn restyle(this: &XTerm);
    #[wasm_bindgen(method)]
    fn reset(this: &XTerm);
    #[wasm_bindgen(method)]
    fn fit(this: &XTerm);
    #[wasm_bindgen(method)]
    fn find(this: &XTerm, query: &str, back: bool) -> bool;
    #[wasm_bindgen(method)]
    fn cols(this: &XTerm) -> u16;
    #[wasm_bindgen(method)]
    fn rows(this: &XTerm) -> u16;
    #[wasm_bindgen(method)]
    fn dispose(this: &XTerm);
}

/// An emulator and the closures it calls.
pub struct Emulator {
    term: XTerm,
    _data: Closure<dyn Fn(String)>,
    _size: Closure<dyn Fn(u16, u16)>,
    _url: Closure<dyn Fn(String)>,
    _lookup: Closure<dyn Fn(String) -> String>,
    _object: Closure<dyn Fn(String)>,
    _focus: Closure<dyn Fn()>,
}

impl Emulator {
    /// Opens an emulator for terminal `id` in `host`.
    pub fn open(page: &Page, id: u32, host: &HtmlElement, label: &str) -> Self {
        let p = page.clone();
        let data = Closure::new(move |text: String| p.terminal_typed(id, text));
        let p = page.clone();
        let size = Closure::new(move |cols, rows| p.terminal_sized(id, cols, rows));
        let p = page.clone();
        let url = Closure::new(move |url: String| p.browse(&url));
        let p = page.clone();
        let lookup = Closure::new(move |word: String| {
            match p.cluster.try_borrow().ok().and_then(|s| s.lookup(&word)) {
                Some(o) => format!("{}/{}/{}", o.resource, o.namespace, o.name),
                None => String::new(),
            }
        });
        let p = page.clone();
        let object = Closure::new(move |reference: String| {
            let parts: Vec<&str> = reference.splitn(3, '/').collect();
            if let [resource, namespace, name] = parts[..] {
                p.open_detail(crate::app::cluster::store::object(resource, namespace, name));
            }
        });
        let p = page.clone();
        let focus = Closure::new(move || p.terminal_focused(id));
        let (d, s, u, l, o, f) = (
            data.as_ref(),
            size.as_ref(),
            url.as_ref(),
            lookup.as_ref(),
            object.as_ref(),
            focus.as_ref(),
        );
        let term = open_terminal(host, label, d, s, u, l, o, f);
        Emulator {
            term,
            _data: data,
            _size: size,
            _url: url,
            _lookup: lookup,
            _object: object,
            _focus: focus,
        }
    }

    /// Shows what a machine wrote.
    pub fn write(&self, text: &str) {
        self.term.write(text);
    }

    /// Gives it the keyboard.
    pub fn focus(&self) {
        self.term.focus();
    }

    /// Names it for those who listen.
    pub fn label(&self, text: &str) {
        self.term.label(text);
    }

    /// Colours or size of type changed.
    pub fn restyle(&self) {
        self.term.restyle();
    }

    /// Forgets what it shows.
    pub fn reset(&self) {
        self.term.reset();
    }

    /// Takes the size its element has now.
    pub fn fit(&self) {
        self.term.fit();
    }

    /// Searches; whether something was found.
    pub fn find(&self, query: &str, back: bool) -> bool {
        self.term.find(query, back)
    }

    /// Size in cells.
    pub fn size(&self) -> (u16, u16) {
        (self.term.cols(), self.term.rows())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.term.dispose();
    }
}
