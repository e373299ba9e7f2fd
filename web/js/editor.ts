// The file editor: CodeMirror with YAML, loaded when a file is first opened.

import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers, highlightActiveLine, drawSelection, highlightSpecialChars } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { yaml } from "@codemirror/lang-yaml";
import { tags as t } from "@lezer/highlight";

export interface EditorEvents {
  /** The text differs from what was last saved, or no longer does. */
  dirty(dirty: boolean): void;
  /** The person saves. */
  save(text: string): void;
}

const look = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--panel)", color: "var(--text)", fontSize: "var(--term-size)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--muted)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--term-selection)" },
  ".cm-panels": { backgroundColor: "var(--bg)", color: "var(--text)" },
});
const colours = HighlightStyle.define([
  { tag: [t.propertyName, t.definition(t.propertyName)], color: "var(--term-blue)" },
  { tag: [t.string, t.special(t.string)], color: "var(--term-green)" },
  { tag: [t.number, t.bool, t.null, t.atom], color: "var(--term-magenta)" },
  { tag: t.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [t.punctuation, t.separator, t.meta], color: "var(--muted)" },
  { tag: t.keyword, color: "var(--term-yellow)" },
]);

export class PageEditor {
  private view: EditorView;
  private saved: string;

  constructor(host: HTMLElement, path: string, text: string, private events: EditorEvents) {
    this.saved = text;
    const save = () => { this.markSaved(); events.save(this.text()); return true; };
    this.view = new EditorView({
      parent: host,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(), highlightSpecialChars(), history(), drawSelection(), highlightActiveLine(), indentOnInput(),
          bracketMatching(), foldGutter(), highlightSelectionMatches(), indentUnit.of("  "), syntaxHighlighting(colours), look,
          ...(/\.ya?ml$/.test(path) ? [yaml()] : []),
          keymap.of([{ key: "Mod-s", run: save, preventDefault: true }, ...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
          EditorView.contentAttributes.of({ "aria-label": `Text of ${path}` }),
          EditorView.updateListener.of((u) => { if (u.docChanged) events.dirty(this.text() !== this.saved); }),
        ],
      }),
    });
    this.view.focus();
  }

  text(): string { return this.view.state.doc.toString(); }
  focus() { this.view.focus(); }
  dispose() { this.view.destroy(); }

  markSaved() {
    this.saved = this.text();
    this.events.dirty(false);
  }

  /** The file changed on the machine. */
  replace(text: string) {
    this.saved = text;
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
    this.events.dirty(false);
  }
}

export function openEditor(host: HTMLElement, path: string, text: string, events: EditorEvents) {
  return new PageEditor(host, path, text, events);
}
