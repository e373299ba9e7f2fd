//! Pods as cells on a canvas: a path for each tone and not for each pod, so that thousands cost a few
//! milliseconds; nothing at all while the canvas is out of sight.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, TAU};
use std::rc::{Rc, Weak};

use gloo::render::{AnimationFrame, request_animation_frame};
use sandbar_core::view::PodRow;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use yew::NodeRef;

use super::status::{Tone, of_pod};
use super::store::{GLOW_MS, Kept};
use crate::app::dom;

/// Steps in which a glow fades: cells of one step are one path.
const FADES: usize = 5;

/// Size of a cell with its gap, CSS pixels.
fn pitch(count: usize) -> f64 {
    match count {
        0..=80 => 16.0,
        81..=400 => 12.0,
        401..=1500 => 9.0,
        _ => 7.0,
    }
}

/// Pitch and columns of a canvas as wide as its parent.
pub fn grid(canvas: &HtmlCanvasElement, count: usize) -> (f64, usize) {
    grid_in(parent_width(canvas), count)
}

fn grid_in(parent: i32, count: usize) -> (f64, usize) {
    let pitch = pitch(count);
    (pitch, ((f64::from(parent - 12) / pitch) as usize).max(1))
}

/// What is drawn on a canvas.
pub struct Drawing {
    /// The canvas.
    pub canvas: NodeRef,
    /// A cell each.
    pub pods: Rc<Vec<Kept<PodRow>>>,
    /// The one that is pointed at.
    pub at: Option<usize>,
}

/// Holds a canvas's drawing; where it is dropped, nothing is drawn any more.
pub type Slot = Rc<RefCell<Option<Drawing>>>;

/// All that is to be drawn in the next frame.
#[derive(Default)]
struct Painter {
    slots: Vec<Weak<RefCell<Option<Drawing>>>>,
    frame: Option<AnimationFrame>,
}

thread_local! {
    static PAINTER: RefCell<Painter> = RefCell::default();
}

/// What drawing needs to know of the document.
struct Measured {
    width: i32,
    in_sight: bool,
}

/// Draws in the next frame, and goes on while something glows.
pub fn animate(slot: &Slot, drawing: Drawing) {
    slot.replace(Some(drawing));
    PAINTER.with_borrow_mut(|painter| painter.ask(Rc::downgrade(slot)));
}

impl Painter {
    fn ask(&mut self, slot: Weak<RefCell<Option<Drawing>>>) {
        if !self.slots.iter().any(|s| s.ptr_eq(&slot)) {
            self.slots.push(slot);
        }
        if self.frame.is_none() {
            self.frame = Some(request_animation_frame(|_| paint()));
        }
    }
}

/// A frame: first everything is measured and then everything is drawn, so that the browser lays the page
/// out once and not once a canvas.
fn paint() {
    // The frame is dropped only after the call: it owns the closure that is running.
    let (slots, _done) =
        PAINTER.with_borrow_mut(|p| (std::mem::take(&mut p.slots), p.frame.take()));
    let measured: Vec<_> = slots
        .into_iter()
        .filter_map(|weak| {
            let slot = weak.upgrade()?;
            let canvas = slot.borrow().as_ref()?.canvas.cast::<HtmlCanvasElement>()?;
            let found = Measured { width: parent_width(&canvas), in_sight: in_sight(&canvas) };
            Some((slot, canvas, found))
        })
        .collect();
    let colours = Colours::read();
    for (slot, canvas, found) in measured {
        let glowing = match &*slot.borrow() {
            Some(drawing) => draw(&canvas, drawing, &found, &colours).unwrap_or(false),
            None => false,
        };
        if glowing {
            PAINTER.with_borrow_mut(|painter| painter.ask(Rc::downgrade(&slot)));
        }
    }
}

/// The theme's colours as they are in this frame.
struct Colours {
    tones: BTreeMap<Tone, String>,
    glow: String,
    text: String,
}

impl Colours {
    fn read() -> Self {
        let colour = |tone: &Tone| (*tone, dom::property(&format!("--{}", tone.name())));
        Colours {
            tones: Tone::ALL.iter().map(colour).collect(),
            glow: dom::property("--glow"),
            text: dom::property("--text"),
        }
    }
}

fn parent_width(canvas: &HtmlCanvasElement) -> i32 {
    canvas.parent_element().map_or(300, |p| p.client_width())
}

/// Whether any of the canvas can be seen.
fn in_sight(canvas: &HtmlCanvasElement) -> bool {
    let rect = canvas.get_bounding_client_rect();
    let height =
        gloo::utils::window().inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(f64::MAX);
    rect.bottom() > -400.0 && rect.top() < height + 400.0 && canvas.offset_parent().is_some()
}

/// Draws all cells; whether some glow.
fn draw(
    canvas: &HtmlCanvasElement,
    drawing: &Drawing,
    measured: &Measured,
    colours: &Colours,
) -> Option<bool> {
    let pods = &*drawing.pods;
    let scale = gloo::utils::window().device_pixel_ratio();
    let (pitch, columns) = grid_in(measured.width, pods.len());
    let rows = pods.len().div_ceil(columns);
    let (width, height) = (columns as f64 * pitch, rows as f64 * pitch);
    let (w, h) = ((width * scale) as u32, (height * scale) as u32);
    if (canvas.width(), canvas.height()) != (w, h) {
        canvas.set_width(w);
        canvas.set_height(h);
        let _ = canvas.set_attribute("style", &format!("width:{width}px;height:{height}px"));
    }
    let now = dom::now();
    if !measured.in_sight {
        // Looks again while something might scroll into sight before its glow is over.
        return Some(pods.iter().any(|p| now - p.changed < GLOW_MS));
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    let place = |i: usize| ((i % columns) as f64 * pitch, (i / columns) as f64 * pitch);
    context.set_fill_style_str(&colours.glow);
    let glowing = !dom::reduced_motion() && glow(&context, pods, now, pitch, place);
    let mut by_tone: BTreeMap<Tone, Vec<usize>> = BTreeMap::new();
    for (i, pod) in pods.iter().enumerate() {
        by_tone.entry(of_pod(&pod.row.status, pod.row.ready)).or_default().push(i);
    }
    context.set_line_width((pitch / 9.0).max(1.0));
    for (tone, cells) in by_tone {
        let colour = colours.tones.get(&tone)?;
        context.set_fill_style_str(colour);
        context.set_stroke_style_str(colour);
        shapes(&context, tone, cells.into_iter().map(place), pitch)?;
    }
    if let Some(at) = drawing.at {
        let (x, y) = place(at);
        context.set_stroke_style_str(&colours.text);
        context.set_line_width(1.5);
        context.stroke_rect(x + 0.5, y + 0.5, pitch - 1.0, pitch - 1.0);
    }
    Some(glowing)
}

fn glow(
    context: &CanvasRenderingContext2d,
    pods: &[Kept<PodRow>],
    now: f64,
    pitch: f64,
    place: impl Fn(usize) -> (f64, f64),
) -> bool {
    let mut steps: [Vec<usize>; FADES] = Default::default();
    for (i, pod) in pods.iter().enumerate() {
        let age = (now - pod.changed) / GLOW_MS;
        if let Some(step) = steps.get_mut((age.max(0.0) * FADES as f64) as usize) {
            step.push(i);
        }
    }
    if steps.iter().all(Vec::is_empty) {
        return false;
    }
    for (step, cells) in steps.iter().enumerate() {
        context.set_global_alpha(1.0 - step as f64 / FADES as f64);
        context.begin_path();
        for (x, y) in cells.iter().map(|i| place(*i)) {
            context.rect(x, y, pitch, pitch);
        }
        context.fill();
    }
    context.set_global_alpha(1.0);
    true
}

/// The cells of one tone, each in the tone's shape as far as the size allows.
fn shapes(
    context: &CanvasRenderingContext2d,
    tone: Tone,
    cells: impl Iterator<Item = (f64, f64)> + Clone,
    pitch: f64,
) -> Option<()> {
    let (gap, size) = (pitch * 0.14, pitch * 0.72);
    let (half, r) = (pitch / 2.0, pitch * 0.36);
    context.begin_path();
    for (x, y) in cells.clone() {
        let (cx, cy) = (x + half, y + half);
        match tone {
            // At this size a disc and a square are the same, and the square is quicker.
            Tone::Good if pitch < 8.0 => context.rect(x + gap, y + gap, size, size),
            Tone::Done => context.rect(x + gap, y + gap, size, size),
            Tone::Bad => {
                context.move_to(cx, y + gap * 0.6);
                context.line_to(x + pitch - gap * 0.6, y + pitch - gap);
                context.line_to(x + gap * 0.6, y + pitch - gap);
            }
            Tone::Wait => {
                context.move_to(cx, cy + r);
                context.arc(cx, cy, r, FRAC_PI_2, 3.0 * FRAC_PI_2).ok()?;
            }
            Tone::Unready => context.rect(cx - r * 0.3, cy - r * 0.3, r * 0.6, r * 0.6),
            Tone::Good => {
                context.move_to(cx + r, cy);
                context.arc(cx, cy, r, 0.0, TAU).ok()?;
            }
            Tone::End | Tone::Unknown => {}
        }
    }
    context.fill();
    if matches!(tone, Tone::Good | Tone::Done | Tone::Bad) {
        return Some(());
    }
    context.begin_path();
    for (x, y) in cells {
        let (cx, cy, r) = (x + half, y + half, r * 0.9);
        context.move_to(cx + r, cy);
        context.arc(cx, cy, r, 0.0, TAU).ok()?;
        if tone == Tone::End {
            context.move_to(cx - r * 0.6, cy + r * 0.6);
            context.line_to(cx + r * 0.6, cy - r * 0.6);
        }
    }
    context.stroke();
    Some(())
}
