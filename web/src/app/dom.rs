//! Small things every panel needs of the document: icons, time for animation, storage, the clipboard.

use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use yew::prelude::*;

/// Real milliseconds since the page was opened; for animation only, the simulation never sees it.
pub fn now() -> f64 {
    web_sys::window().and_then(|w| w.performance()).map_or(0.0, |p| p.now())
}

/// A picture from the sprite in `index.html`, hidden from those who listen.
pub fn icon(name: &str) -> Html {
    html! {
        <svg class={classes!("icon", format!("icon-{name}"))} aria-hidden="true"><use href={format!("#i-{name}")}/></svg>
    }
}

/// The document's root element, which carries theme and size of type.
pub fn root() -> Option<HtmlElement> {
    gloo::utils::document().document_element()?.dyn_into().ok()
}

/// Whether the person asked for less motion.
pub fn reduced_motion() -> bool {
    media("(prefers-reduced-motion: reduce)")
}

/// Whether a media query holds now.
pub fn media(query: &str) -> bool {
    web_sys::window().and_then(|w| w.match_media(query).ok().flatten()).is_some_and(|m| m.matches())
}

/// Puts text on the clipboard.
pub fn copy(text: &str) {
    if let Some(window) = web_sys::window() {
        let _ = window.navigator().clipboard().write_text(text);
    }
}

/// Gives the keyboard to the element with this id, where there is one.
pub fn focus(id: &str) {
    if let Some(element) = gloo::utils::document().get_element_by_id(id) {
        if let Ok(element) = element.dyn_into::<HtmlElement>() {
            let _ = element.focus();
        }
    }
}

/// Whether the keyboard is nowhere.
pub fn nothing_has_focus() -> bool {
    gloo::utils::document().active_element().is_none_or(|e| e.tag_name() == "BODY")
}

/// Gives the keyboard to the first element that matches and can be seen; whether there is one.
pub fn focus_first(selector: &str) -> bool {
    let found = gloo::utils::document().query_selector(selector).ok().flatten();
    let Some(element) = found.and_then(|e| e.dyn_into::<HtmlElement>().ok()) else { return false };
    element.offset_parent().is_some() && element.focus().is_ok()
}

/// A custom property of the root element, as a colour or number.
pub fn property(name: &str) -> String {
    let value = || {
        let style = web_sys::window()?.get_computed_style(root()?.as_ref()).ok()??;
        style.get_property_value(name).ok()
    };
    value().unwrap_or_default().trim().to_owned()
}
