//! The page's keys: heard before the terminal hears them, so that they work wherever the keyboard is.
//!
//! Only keys of the commands' table are taken; every other key belongs to what has the focus.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

use super::commands::COMMANDS;
use super::dom::nothing_has_focus;
use super::page::Page;
use super::ui::Overlay;

/// Listens until dropped.
pub fn listen(page: &Page) -> EventListener {
    let page = page.clone();
    let options = EventListenerOptions::run_in_capture_phase();
    let options = EventListenerOptions { passive: false, ..options };
    let window = gloo::utils::window();
    EventListener::new_with_options(&window, "keydown", options, move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
            if pressed(&page, event) {
                event.prevent_default();
                event.stop_propagation();
            }
        }
    })
}

fn pressed(page: &Page, event: &KeyboardEvent) -> bool {
    let overlay = page.ui.borrow().overlay;
    let chord = chord(event);
    if chord == "Ctrl-K" && overlay == Some(Overlay::Palette) {
        // Twice: the key was meant for the shell, where it cuts the rest of the line.
        page.close_overlay();
        page.send_keys("\u{b}");
        return true;
    }
    if event.key() == "Escape" && overlay.is_some() {
        page.close_overlay();
        return true;
    }
    if page.ui.borrow().presenter && overlay.is_none() {
        match event.key().as_str() {
            "PageDown" => return run_true(|| page.present_next()),
            "PageUp" => return run_true(|| page.move_step(-1)),
            _ => {}
        }
    }
    let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
    if plain && overlay.is_none() && event.key().chars().count() == 1 && nothing_has_focus() {
        // Typing with the keyboard nowhere means the terminal.
        page.focus_terminal();
        page.send_keys(&event.key());
        return true;
    }
    let Some(command) = COMMANDS.iter().find(|c| !c.keys.is_empty() && c.keys == chord) else {
        return false;
    };
    if command.id == "find" && !page.terminals.borrow().focused {
        return false;
    }
    if overlay.is_some() && !matches!(command.id, "palette" | "help") {
        return false;
    }
    (command.run)(page);
    true
}

fn run_true(act: impl FnOnce()) -> bool {
    act();
    true
}

/// The keys of an event as the table writes them; empty where none could be meant.
fn chord(event: &KeyboardEvent) -> String {
    let key = event.key();
    if event.alt_key() && !event.ctrl_key() && !event.meta_key() {
        // With Alt some keyboards give other letters; the physical key is what is meant.
        let code = event.code();
        let name = code.strip_prefix("Key").or(code.strip_prefix("Digit")).unwrap_or(
            match code.as_str() {
                "Period" => ".",
                "BracketLeft" => "[",
                "BracketRight" => "]",
                "Equal" | "NumpadAdd" => "+",
                "Minus" | "NumpadSubtract" => "-",
                _ => key.as_str(),
            },
        );
        return format!("Alt-{name}");
    }
    if (event.ctrl_key() || event.meta_key())
        && !event.alt_key()
        && !event.shift_key()
        && key.len() == 1
    {
        return format!("Ctrl-{}", key.to_uppercase());
    }
    key
}
