//! Pods as cells on a canvas: a path for each tone and not for each pod, so that thousands cost a few
//! milliseconds; nothing at all while the canvas is out of sight.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::f64::consts::{FRAC_PI_2, TAU};
use std::rc::Rc;

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
    let width = canvas.parent_element().map_or(300, |p| p.client_width()) - 12;
    let pitch = pitch(count);
    (pitch, ((f64::from(width) / pitch) as usize).max(1))
}

/// Draws, and goes on drawing while something glows.
pub fn animate(
    canvas: NodeRef,
    pods: Rc<Vec<Kept<PodRow>>>,
    at: Option<usize>,
    frame: Rc<RefCell<Option<AnimationFrame>>>,
) {
    let Some(element) = canvas.cast::<HtmlCanvasElement>() else { return };
    let glowing = draw(&element, &pods, at).unwrap_or(false);
    if !glowing {
        frame.replace(None);
        return;
    }
    let again = frame.clone();
    let next = request_animation_frame(move |_| {
        let done = again.borrow_mut().take();
        animate(canvas, pods, at, again);
        drop(done);
    });
    frame.replace(Some(next));
}

/// Whether any of the canvas can be seen.
fn in_sight(canvas: &HtmlCanvasElement) -> bool {
    let rect = canvas.get_bounding_client_rect();
    let height =
        gloo::utils::window().inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(f64::MAX);
    rect.bottom() > -400.0 && rect.top() < height + 400.0 && canvas.offset_parent().is_some()
}

/// Draws all cells; whether some glow.
fn draw(canvas: &HtmlCanvasElement, pods: &[Kept<PodRow>], at: Option<usize>) -> Option<bool> {
    let scale = gloo::utils::window().device_pixel_ratio();
    let (pitch, columns) = grid(canvas, pods.len());
    let rows = pods.len().div_ceil(columns);
    let (width, height) = (columns as f64 * pitch, rows as f64 * pitch);
    let (w, h) = ((width * scale) as u32, (height * scale) as u32);
    if (canvas.width(), canvas.height()) != (w, h) {
        canvas.set_width(w);
        canvas.set_height(h);
        let _ = canvas.set_attribute("style", &format!("width:{width}px;height:{height}px"));
    }
    let now = dom::now();
    if !in_sight(canvas) {
        // Looks again while something might scroll into sight before its glow is over.
        return Some(pods.iter().any(|p| now - p.changed < GLOW_MS));
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_transform(scale, 0.0, 0.0, scale, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    let place = |i: usize| ((i % columns) as f64 * pitch, (i / columns) as f64 * pitch);
    let glowing = !dom::reduced_motion() && glow(&context, pods, now, pitch, place);
    let mut by_tone: BTreeMap<Tone, Vec<usize>> = BTreeMap::new();
    for (i, pod) in pods.iter().enumerate() {
        by_tone.entry(of_pod(&pod.row.status, pod.row.ready)).or_default().push(i);
    }
    context.set_line_width((pitch / 9.0).max(1.0));
    for (tone, cells) in by_tone {
        let colour = dom::property(&format!("--{}", tone.name()));
        context.set_fill_style_str(&colour);
        context.set_stroke_style_str(&colour);
        shapes(&context, tone, cells.into_iter().map(place), pitch)?;
    }
    if let Some(at) = at {
        let (x, y) = place(at);
        context.set_stroke_style_str(&dom::property("--text"));
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
    context.set_fill_style_str(&dom::property("--glow"));
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
