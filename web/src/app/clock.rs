//! Simulated time as the page shows and steers it, and the time bar at the bottom.

use gloo::timers::callback::Interval;
use yew::prelude::*;

use super::commands::{COMMANDS, run};
use super::dom::icon;
use super::page::Page;
use super::topics::{Topic, use_topic};

/// Simulated time as last reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// Milliseconds since the Unix epoch when last reported; 0 until the engine has spoken.
    pub now_ms: u64,
    /// When that was, real milliseconds of [`super::dom::now`].
    pub heard: f64,
    /// Simulated seconds a real second, when not paused.
    pub speed: u32,
    /// Simulated seconds a real second, as measured.
    pub rate: f64,
    /// Whether time stands still.
    pub paused: bool,
    /// Whether the engine is working through a backlog.
    pub busy: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { now_ms: 0, heard: 0.0, speed: 1, rate: 1.0, paused: false, busy: false }
    }
}

impl Clock {
    /// Simulated time now: the engine reports when something happens, in between the page counts on.
    pub fn shown_ms(&self) -> u64 {
        if self.paused || self.busy || self.now_ms == 0 {
            return self.now_ms;
        }
        self.now_ms + ((super::dom::now() - self.heard).max(0.0) * f64::from(self.speed)) as u64
    }
}

/// The speeds there are buttons for.
pub const SPEEDS: [u32; 3] = [1, 10, 60];

/// How often the clock is drawn while nothing else is, real milliseconds.
const TICK_MS: u32 = 200;

impl Page {
    /// The engine reports its clock.
    pub fn clock_news(&self, clock: Clock) {
        let old = self.clock.replace(clock);
        if old == clock {
            return;
        }
        self.touch(Topic::Clock);
        if old.shown_ms() / 1000 != clock.now_ms / 1000 {
            self.touch(Topic::Second);
        }
    }

    /// Draws the clock, and ages once a simulated second, until dropped.
    pub fn start_ticking(&self) -> Interval {
        let page = self.clone();
        let mut last = 0;
        Interval::new(TICK_MS, move || {
            let second = page.clock.borrow().shown_ms() / 1000;
            if second != last {
                last = second;
                page.touch(Topic::Clock);
                page.touch(Topic::Second);
            }
        })
    }

    /// Simulated time now, milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.clock.borrow().shown_ms()
    }

    /// Stops time, or lets it go on.
    pub fn toggle_pause(&self) {
        let clock = *self.clock.borrow();
        self.set_pace(Clock { paused: !clock.paused, ..clock });
    }

    /// Lets time pass at `speed` simulated seconds a second.
    pub fn set_speed(&self, speed: u32) {
        let clock = *self.clock.borrow();
        self.set_pace(Clock { paused: false, speed, ..clock });
    }

    fn set_pace(&self, clock: Clock) {
        let clock = Clock { now_ms: self.now_ms(), heard: super::dom::now(), ..clock };
        let speed = if clock.paused { 0 } else { clock.speed };
        self.with_engine(|engine| engine.pace(speed));
        self.clock_news(clock);
    }

    /// Goes to the next thing that happens by itself.
    pub fn next_event(&self) {
        let clock = *self.clock.borrow();
        if !clock.paused {
            self.set_pace(Clock { paused: true, ..clock });
        }
        self.with_engine(|engine| engine.next_event());
    }
}

/// `12:04:31`.
pub fn time_of_day(ms: u64) -> String {
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60)
}

/// An age as kubectl prints it: `5s`, `2m3s`, `15m`, `3h12m`, `2d4h`.
pub fn age(from_ms: u64, now_ms: u64) -> String {
    let s = now_ms.saturating_sub(from_ms) / 1000;
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    match s {
        0..120 => format!("{s}s"),
        120..600 if !s.is_multiple_of(60) => format!("{m}m{}s", s % 60),
        120..10_800 => format!("{m}m"),
        10_800..28_800 if m % 60 != 0 => format!("{h}h{}m", m % 60),
        10_800..172_800 => format!("{h}h"),
        172_800..691_200 if h % 24 != 0 => format!("{d}d{}h", h % 24),
        _ => format!("{d}d"),
    }
}

/// The bar at the bottom: time, and the way to everything else.
#[function_component]
pub fn TimeBar() -> Html {
    let page = use_topic(Topic::Ui);
    let single = page.ui.borrow().single();
    html! {
        <footer class="bar" role="toolbar" aria-label="Time and page">
            <Pace/>
            <span class="bar-gap"/>
            { for COMMANDS.iter().filter(|c| c.in_bar && !(single && ["lesson", "browser", "cluster"].contains(&c.id))).map(|c| {
                let page = page.clone();
                let pressed = (c.pressed)(&page);
                html! {
                    <button class={classes!("bar-button", pressed.unwrap_or(false).then_some("on"))} title={tip(c.title, c.keys)}
                        aria-label={c.title} aria-pressed={pressed.map(|p| p.to_string())}
                        onclick={move |_| run(&page, c.id)}>
                        { icon(c.icon) }
                        if !c.short.is_empty() { <span>{ c.short }</span> }
                    </button>
                }
            }) }
        </footer>
    }
}

/// A control's name with the keys that do the same.
pub fn tip(title: &str, keys: &str) -> String {
    if keys.is_empty() { title.to_owned() } else { format!("{title} ({keys})") }
}

#[function_component]
fn Pace() -> Html {
    let page = use_topic(Topic::Clock);
    let clock = *page.clock.borrow();
    let pause = {
        let page = page.clone();
        move |_| page.toggle_pause()
    };
    let next = {
        let page = page.clone();
        move |_| page.next_event()
    };
    let (name, sign) =
        if clock.paused { ("Let time run", "play") } else { ("Pause time", "pause") };
    let word = match (clock.now_ms, clock.paused) {
        (0, _) => "starting".to_owned(),
        (_, true) => "paused".to_owned(),
        _ if clock.busy && clock.rate > 0.0 => format!("×{:.0}, as fast as it can", clock.rate),
        _ if clock.speed == 1 => String::new(),
        _ => format!("×{}", clock.speed),
    };
    let shown =
        if clock.now_ms == 0 { "--:--:--".to_owned() } else { time_of_day(clock.shown_ms()) };
    html! {
        <div class={classes!("pace", clock.paused.then_some("paused"))}>
            <button class="bar-button" title={tip(name, "Alt-P")} aria-label={name} onclick={pause}>{ icon(sign) }</button>
            <div class="speeds" role="group" aria-label="Speed of time">
                { for SPEEDS.iter().map(|&speed| {
                    let on = !clock.paused && clock.speed == speed;
                    let page = page.clone();
                    html! {
                        <button class={classes!("bar-button", on.then_some("on"))} aria-pressed={on.to_string()}
                            title={format!("{speed} simulated seconds a second")} onclick={move |_| page.set_speed(speed)}>
                            { format!("×{speed}") }
                        </button>
                    }
                }) }
            </div>
            <button class="bar-button" title={tip("Go to the next event and pause there", "Alt-.")}
                aria-label="Go to the next event" onclick={next}>
                { icon("next") }<span class="wide">{ "Next event" }</span>
            </button>
            <time class="clock" title="Simulated time (UTC)">{ shown }</time>
            <span class="pace-word">{ word }</span>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_kubectls() {
        for (seconds, shown) in [
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (123, "2m3s"),
            (601, "10m"),
            (11_520, "3h12m"),
            (187_200, "2d4h"),
        ] {
            assert_eq!(age(0, seconds * 1000), shown);
        }
    }

    #[test]
    fn the_clock_shows_utc() {
        assert_eq!(time_of_day(1_700_000_000_000), "22:13:20");
    }
}
