//! The images that the simulated registries offer, and the programs that only they have.
//!
//! A family of images is a file (or folder): layers, configuration and programs; and its lines in
//! the tables here. What is in an image decides what its containers can do: a program that is not
//! a file there can't be run.

mod agnhost;
mod base;
mod databases;
mod dra_driver;
mod hello;
mod httpd;
mod kubectl;
pub mod leak;
mod nginx;
mod node;
mod perl;
pub(crate) mod serving;
mod stress;
mod system;
#[cfg(test)]
mod tests;
mod tools;
mod tutorials;

use super::ImageDef;
use crate::machine::Program;

/// The images by family.
const FAMILIES: &[&[&ImageDef]] = &[
    &[
        &base::ALPINE_IMAGE,
        &base::BUSYBOX_1_28_IMAGE,
        &base::BUSYBOX_IMAGE,
        &base::DEBIAN_IMAGE,
        &base::DEBIAN_SLIM_IMAGE,
        &base::RECYCLER_IMAGE,
        &base::UBUNTU_IMAGE,
        &base::UBUNTU_JAMMY_IMAGE,
    ],
    &[&databases::MONGO_IMAGE, &databases::REDIS_IMAGE],
    &[&dra_driver::IMAGE],
    &[&hello::IMAGE],
    &[&httpd::HTTPD, &httpd::WEB_EXAMPLE, &httpd::WEB_EXAMPLE_2],
    &[&kubectl::BITNAMI, &kubectl::ALPINE],
    nginx::IMAGES,
    &[&nginx::KIAMOL_02, &nginx::VERSIONED_1, &nginx::VERSIONED_2],
    &[
        &node::FIRST_APP,
        &node::FIRST_APP_2,
        &node::MY_EXAMPLE_IMAGE,
        &node::NODE,
        &node::NODE_ALPINE,
    ],
    &[&agnhost::IMAGE, &perl::IMAGE],
    stress::IMAGES,
    system::IMAGES,
    tools::IMAGES,
    tutorials::IMAGES,
];

/// All images.
pub static IMAGES: &[&ImageDef] = &flat::<{ count() }>();

const fn count() -> usize {
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        n += FAMILIES[family].len();
        family += 1;
    }
    n
}

const fn flat<const N: usize>() -> [&'static ImageDef; N] {
    let mut all = [FAMILIES[0][0]; N];
    let (mut n, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut image = 0;
        while image < FAMILIES[family].len() {
            all[n] = FAMILIES[family][image];
            (n, image) = (n + 1, image + 1);
        }
        family += 1;
    }
    all
}

/// The programs that only images have, sorted by name.
pub static PROGRAMS: &[&Program] = &[
    &agnhost::PROGRAM,
    &dra_driver::PROGRAM,
    &tutorials::ECHO_SERVER,
    &tools::ECHOSERVER,
    &tools::GOPROXY,
    &hello::PROGRAM,
    &tutorials::HELLO_APP,
    &tutorials::HPA_EXAMPLE,
    &httpd::BUSYBOX,
    &httpd::APACHE,
    &databases::MONGO,
    &nginx::PROGRAM,
    &nginx::ENTRYPOINT,
    &node::PROGRAM,
    &system::NODE_ENTRYPOINT,
    &node::NPM,
    &system::PAUSE,
    &perl::PROGRAM,
    &databases::REDIS,
    &stress::STRESS,
    &stress::VISH_STRESS,
    &tools::WHOAMI,
];

/// A program of an image by name.
pub fn program(name: &str) -> Option<&'static Program> {
    let index = PROGRAMS.binary_search_by(|p| p.name.cmp(name)).ok()?;
    Some(PROGRAMS[index])
}

/// Whether a version (`1.17.10`) is older than major.minor.
fn before(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split('.').map(|p| p.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < (major, minor)
}
