//! What a program on the learner's own host can ask the page for. Hung on that machine
//! (`machine.get::<Page>()`); other machines have none.

/// The page beside the terminals.
pub struct Page {
    /// Shows a file in the page's editor: its absolute path and its text.
    pub open_file: Box<dyn Fn(&str, &str)>,
    /// Shows an address in the browser pane.
    pub open_url: Box<dyn Fn(&str)>,
    /// Shows the dashboard.
    pub open_dashboard: Box<dyn Fn()>,
}
