//! Files being edited: tabs beside the terminals, CodeMirror below them, loaded when first needed.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::HtmlElement;
use yew::prelude::*;

use sandbar_core::session::protocol::Input;

use super::page::Page;
use super::topics::{Topic, use_page, use_topic};
use super::ui::Place;

#[wasm_bindgen]
extern "C" {
    /// The editor, as `web/js/editor.ts` hands it out.
    pub type CodeEditor;

    #[wasm_bindgen(js_namespace = sandbar, js_name = openEditor, catch)]
    async fn open_editor(
        host: &HtmlElement,
        path: &str,
        text: &str,
        dirty: &JsValue,
        save: &JsValue,
    ) -> Result<CodeEditor, JsValue>;

    #[wasm_bindgen(method)]
    fn text(this: &CodeEditor) -> String;
    #[wasm_bindgen(method)]
    fn focus(this: &CodeEditor);
    #[wasm_bindgen(method, js_name = markSaved)]
    fn mark_saved(this: &CodeEditor);
    #[wasm_bindgen(method)]
    fn replace(this: &CodeEditor, text: &str);
    #[wasm_bindgen(method)]
    fn dispose(this: &CodeEditor);
}

/// An open file.
pub struct OpenFile {
    /// Absolute path on the learner's host.
    pub path: String,
    /// Its text when it was opened.
    text: String,
    /// Whether it has changes that were not saved.
    pub dirty: bool,
    /// Whether the person wants it closed and has not said what to do with the changes.
    pub leaving: bool,
    editor: Option<Rc<CodeEditor>>,
}

impl OpenFile {
    /// Its name without folders.
    pub fn name(&self) -> String {
        self.path.rsplit('/').next().unwrap_or(&self.path).to_owned()
    }
}

/// All open files.
#[derive(Default)]
pub struct Editor {
    /// In the order of their tabs.
    pub files: Vec<OpenFile>,
    /// The one that is shown in place of the terminals.
    pub shown: Option<String>,
}

impl Editor {
    fn file(&mut self, path: &str) -> Option<&mut OpenFile> {
        self.files.iter_mut().find(|f| f.path == path)
    }
}

impl Page {
    /// Opens a file.
    pub fn edit_file(&self, path: String, text: String) {
        {
            let mut editor = self.editor.borrow_mut();
            match editor.file(&path) {
                Some(file) if !file.dirty => {
                    if let Some(open) = &file.editor {
                        open.replace(&text);
                    }
                    file.text = text;
                }
                Some(_) => {}
                None => editor.files.push(OpenFile {
                    path: path.clone(),
                    text,
                    dirty: false,
                    leaving: false,
                    editor: None,
                }),
            }
            editor.shown = Some(path);
        }
        self.show(Place::Terminal);
        self.touch(Topic::Editor);
    }

    /// Shows an open file.
    pub fn show_file(&self, path: &str) {
        self.editor.borrow_mut().shown = Some(path.to_owned());
        self.touch(Topic::Editor);
    }

    /// Shows terminals again; files stay open.
    pub fn hide_editor(&self) {
        let was = self.editor.borrow_mut().shown.take();
        if was.is_some() {
            self.touch(Topic::Editor);
        }
    }

    /// Closes a file; one with changes asks first.
    pub fn close_file(&self, path: &str) {
        let asks = {
            let mut editor = self.editor.borrow_mut();
            editor.shown = Some(path.to_owned());
            editor.file(path).is_some_and(|f| {
                f.leaving = f.dirty;
                f.dirty
            })
        };
        if !asks {
            self.drop_file(path);
        }
        self.touch(Topic::Editor);
    }

    fn drop_file(&self, path: &str) {
        let gone = {
            let mut editor = self.editor.borrow_mut();
            let at = editor.files.iter().position(|f| f.path == path);
            let gone = at.map(|at| editor.files.remove(at));
            editor.shown = None;
            gone
        };
        if let Some(editor) = gone.and_then(|g| g.editor) {
            editor.dispose();
        }
        self.touch(Topic::Editor);
        self.focus_terminal();
    }

    /// Writes a file to the learner's host.
    pub fn save_file(&self, path: &str) {
        let text = {
            let mut editor = self.editor.borrow_mut();
            let Some(open) = editor.file(path).and_then(|f| f.editor.as_ref()) else { return };
            open.text()
        };
        self.send(Input::FileSave { path: path.to_owned(), text });
        let mut editor = self.editor.borrow_mut();
        if let Some(file) = editor.file(path) {
            file.dirty = false;
            file.leaving = false;
            let open = file.editor.clone();
            drop(editor);
            // Outside of the borrow: it reports that nothing is unsaved any more.
            if let Some(open) = open {
                open.mark_saved();
            }
        }
        self.touch(Topic::Editor);
    }

    /// The engine read a file.
    pub fn file_read(&self, path: String, text: Result<String, String>) {
        match text {
            Ok(text) => self.edit_file(path, text),
            Err(why) => self.notice(format!("{path} can’t be opened: {why}.")),
        }
    }

    fn file_changed(&self, path: &str, dirty: bool) {
        if let Ok(mut editor) = self.editor.try_borrow_mut() {
            if let Some(file) = editor.file(path).filter(|f| f.dirty != dirty) {
                file.dirty = dirty;
                file.leaving &= dirty;
                self.touch(Topic::Editor);
            }
        }
    }
}

/// The pane of the file that is shown; files keep their editors while others are.
#[function_component]
pub fn EditorPane() -> Html {
    let page = use_topic(Topic::Editor);
    let editor = page.editor.borrow();
    let shown = editor.shown.clone();
    html! {
        <div class={classes!("editor", shown.is_none().then_some("hidden"))}>
            { for editor.files.iter().map(|file| html! {
                <FilePane key={file.path.clone()} path={file.path.clone()} text={file.text.clone()} leaving={file.leaving}
                    dirty={file.dirty} shown={shown.as_deref() == Some(file.path.as_str())}/>
            }) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct FileProps {
    path: String,
    text: String,
    dirty: bool,
    leaving: bool,
    shown: bool,
}

type Listeners = (Closure<dyn Fn(bool)>, Closure<dyn Fn(String)>);

#[function_component]
fn FilePane(props: &FileProps) -> Html {
    let page = use_page();
    let host = use_node_ref();
    let listeners = use_mut_ref(|| None::<Listeners>);
    {
        let (page, host, listeners) = (page.clone(), host.clone(), listeners.clone());
        let (path, text) = (props.path.clone(), props.text.clone());
        use_effect_with((), move |()| {
            let Some(host) = host.cast::<HtmlElement>() else { return };
            let (p, at) = (page.clone(), path.clone());
            let dirty = Closure::new(move |dirty| p.file_changed(&at, dirty));
            let (p, at) = (page.clone(), path.clone());
            let save = Closure::new(move |_text: String| p.save_file(&at));
            let (on_dirty, on_save): (JsValue, JsValue) =
                (dirty.as_ref().clone(), save.as_ref().clone());
            *listeners.borrow_mut() = Some((dirty, save));
            wasm_bindgen_futures::spawn_local(async move {
                match open_editor(&host, &path, &text, &on_dirty, &on_save).await {
                    Ok(open) => {
                        if let Some(file) = page.editor.borrow_mut().file(&path) {
                            file.editor = Some(Rc::new(open));
                        }
                    }
                    Err(_) => page.notice("The editor could not be loaded. Check the connection and open the file again; vi works without it."),
                }
            });
        });
    }
    let [save, keep, discard, close] = [(); 4].map(|()| page.clone());
    let [saved, kept, discarded, closed] = [(); 4].map(|()| props.path.clone());
    html! {
        <div class={classes!("file", (!props.shown).then_some("hidden"))} role="region" aria-label={format!("Editor: {}", props.path)}>
            <p class="file-line">
                <code class="cut">{ &props.path }</code>
                <span class="muted">{ if props.dirty { "not saved" } else { "saved" } }</span>
                <span class="bar-gap"/>
                if props.leaving {
                    <span role="alert">{ "Save the changes?" }</span>
                    <button class="primary" onclick={move |_| { keep.save_file(&kept); keep.drop_file(&kept) }}>{ "Save and close" }</button>
                    <button class="soft" onclick={move |_| discard.drop_file(&discarded)}>{ "Discard" }</button>
                } else {
                    <button class="soft" disabled={!props.dirty} onclick={move |_| save.save_file(&saved)}>{ "Save" }<kbd>{ "Ctrl-S" }</kbd></button>
                    <button class="soft" onclick={move |_| close.close_file(&closed)}>{ "Close" }</button>
                }
            </p>
            <div class="code-host" ref={host}/>
        </div>
    }
}
