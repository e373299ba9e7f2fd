pub fn attach(_: &super::page::Page) -> bool { false }
