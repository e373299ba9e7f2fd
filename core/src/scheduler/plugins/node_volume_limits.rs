//! How many volumes of a storage driver a node can have.
//!
//! A node's driver says so in its `CSINode`. Here volumes are made by provisioners without such a
//! driver, so no node says anything and there is nothing to judge, as upstream judges nothing then.
//!
//! Models `pkg/scheduler/framework/plugins/nodevolumelimits` as far as that.

use crate::scheduler::framework::{Plugin, Point};

pub const PLUGIN: Plugin = Plugin::silent("NodeVolumeLimits", &[Point::PreFilter, Point::Filter]);
