//! Takes device after device for all requests of all claims, and goes back where that leads nowhere.
//!
//! The first full solution is taken. Devices of one request are tried in the order in which they are
//! offered, so that no set is tried twice.
//!
//! Models `allocateOne` and `allocateDevice` of `allocator_incubating.go`. There a search may take ten
//! seconds; here it may take [`MOST_STEPS`].

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use k8s_openapi::{
    api::{
        core::v1::Node,
        resource::v1::{Device, DeviceClass, DeviceConstraint, ResourceClaim, ResourceSlice},
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    MOST_DEVICES, Offers, Trouble,
    capacity::{self, Amounts},
    constraint::Constraint,
    counters::{self, Counters},
    index,
    pools::{self, Pool, State},
    request::{self, Alternative, Number, Request, Wish},
    selectors::{self, Variables},
};
use crate::api::quantity::Amount;

/// Devices tried for one node.
const MOST_STEPS: u32 = 20_000;
/// Requests and devices of one pod: so deep may the search go.
const DEEPEST: usize = 500;

/// A device that the node reaches.
pub struct Candidate<'a> {
    /// The slice that offers it.
    pub slice: &'a ResourceSlice,
    /// The device.
    pub device: &'a Device,
    pool: usize,
    key: String,
    /// Whether a claim has it to itself.
    taken: bool,
    /// What claims have of it.
    shares: Option<Amounts>,
    variables: OnceCell<Result<Variables, String>>,
}

impl Candidate<'_> {
    fn is_shared(&self) -> bool {
        self.device.allow_multiple_allocations == Some(true)
    }
}

/// A device that a claim gets.
pub struct Taken {
    /// Its place among the candidates.
    pub candidate: usize,
    /// `request` or `request/alternative`.
    pub request: String,
    /// Whether others may have it, too: access for an administrator.
    pub admin: bool,
    /// What of it, where several share it.
    pub share: Option<BTreeMap<String, Quantity>>,
}

/// Which device of which request of which claim is to be found next.
#[derive(Clone, Copy)]
struct At {
    claim: usize,
    request: usize,
    alternative: usize,
    device: usize,
}

enum Stop {
    /// A claim would get more devices than it may.
    TooMany,
    /// There is no point in going on.
    Trouble(Trouble),
}

/// One node's search.
pub struct Search<'a> {
    /// What is offered.
    pub offers: &'a Offers,
    /// The claims.
    pub claims: &'a [Rc<ResourceClaim>],
    /// The requests of each claim.
    pub requests: Rc<Vec<Vec<Request<'a>>>>,
    /// Which of a request's alternatives is taken, by claim and request.
    pub chosen: BTreeMap<(usize, usize), usize>,
    /// All devices that could be taken, in the order in which they are tried.
    pub candidates: Rc<Vec<Candidate<'a>>>,
    /// What each claim gets.
    pub result: Vec<Vec<Taken>>,
    node: &'a Node,
    pools: &'a [Pool],
    constraints: Vec<Vec<Constraint<'a>>>,
    /// Candidates that are about to be taken, and for which claims.
    taking: BTreeMap<usize, BTreeSet<usize>>,
    /// What is about to be taken of shared ones, and how often.
    sharing: BTreeMap<usize, (usize, Amounts)>,
    /// What is left of each pool's counters with what is about to be taken.
    left: BTreeMap<usize, Counters>,
    suits: BTreeMap<(usize, usize, usize, usize), bool>,
    steps: u32,
}

impl<'a> Search<'a> {
    /// Looks through claims and classes.
    pub fn new(
        offers: &'a Offers,
        node: &'a Node,
        claims: &'a [Rc<ResourceClaim>],
        pools: &'a [Pool],
    ) -> Result<Self, Trouble> {
        let mut search = Search {
            offers,
            claims,
            requests: Rc::default(),
            chosen: BTreeMap::new(),
            candidates: Rc::new(candidates(offers, pools)),
            result: claims.iter().map(|_| Vec::new()).collect(),
            node,
            pools,
            constraints: Vec::new(),
            taking: BTreeMap::new(),
            sharing: BTreeMap::new(),
            left: BTreeMap::new(),
            suits: BTreeMap::new(),
            steps: 0,
        };
        let mut depth = 0;
        let mut requests = Vec::new();
        for (place, claim) in claims.iter().enumerate() {
            let asked = request::requests(claim);
            let mut least = 0usize;
            let mut of_claim = Vec::new();
            for (i, asked) in asked.iter().enumerate() {
                let mut alternatives = Vec::new();
                for (j, wish) in request::wishes(asked).into_iter().enumerate() {
                    alternatives.push(search.look_at(wish, (place, i, j))?);
                }
                let fewest = alternatives.iter().map(|a| a.number).min().unwrap_or(0);
                least = least.saturating_add(fewest);
                of_claim.push(Request { alternatives });
            }
            requests.push(of_claim);
            let name = request::claim_name(claim);
            if least > MOST_DEVICES {
                return Err(Trouble::Fatal(format!(
                    "claim {name}: number of requested devices {least} exceeds the claim limit of \
                     {MOST_DEVICES}"
                )));
            }
            depth += least + 2 * asked.len() + 1;
            let given = claim.spec.devices.as_ref().and_then(|d| d.constraints.as_deref());
            search.constraints.push(constraints(given.unwrap_or_default(), &name)?);
        }
        search.requests = Rc::new(requests);
        match depth > DEEPEST {
            true => Err(Trouble::Fatal("the pod's claims have too many requests".into())),
            false => Ok(search),
        }
    }

    fn look_at(
        &mut self,
        wish: Wish<'a>,
        place: (usize, usize, usize),
    ) -> Result<Alternative<'a>, Trouble> {
        let claim = self.claims.get(place.0).map(|c| request::claim_name(c)).unwrap_or_default();
        let fatal =
            |why: String| Trouble::Fatal(format!("claim {claim}, request {}: {why}", wish.name));
        let Some(class) = self.offers.client.find::<DeviceClass>("", wish.class) else {
            let name = wish.class;
            return Err(fatal(format!(
                "could not retrieve device class {name}: deviceclass.resource.k8s.io {name:?} not \
                 found"
            )));
        };
        let mut made = Alternative { wish, class, number: 0, all: None };
        match made.wish.number(&claim)? {
            Number::Exactly(n) => made.number = n,
            Number::All => {
                for pool in self.pools {
                    let why = match pool.state {
                        State::Ready => continue,
                        State::Incomplete => "being updated",
                        State::Invalid => "invalid",
                    };
                    return Err(Trouble::Fatal(format!(
                        "claim {claim}, request {}: asks for all devices, but resource pool {} is \
                         currently {why}",
                        made.wish.name, pool.id
                    )));
                }
                let mut all = Vec::new();
                for candidate in 0..self.candidates.len() {
                    if self.suits(candidate, place, &made)? && self.suffices(candidate, &made.wish)
                    {
                        all.push(candidate);
                    }
                }
                made.number = all.len();
                made.all = Some(all);
            }
        }
        Ok(made)
    }

    /// Finds the first solution.
    pub fn run(&mut self) -> Result<bool, Trouble> {
        let start = At { claim: 0, request: 0, alternative: 0, device: 0 };
        match self.next(start, false, 0) {
            Ok(found) => Ok(found),
            Err(Stop::TooMany) => Ok(false),
            Err(Stop::Trouble(trouble)) => Err(trouble),
        }
    }

    /// Finds the device that is asked for at a place, and all after it. `inside`: an alternative was
    /// chosen already. `start`: the first candidate that is tried.
    fn next(&mut self, at: At, inside: bool, start: usize) -> Result<bool, Stop> {
        let requests = self.requests.clone();
        let Some(of_claim) = requests.get(at.claim) else { return Ok(true) };
        let Some(request) = of_claim.get(at.request) else {
            let next = At { claim: at.claim + 1, request: 0, alternative: 0, device: 0 };
            return match self.next(next, false, 0) {
                // Another choice for the claims before may lead to fewer devices in the next one.
                Err(Stop::TooMany) => Ok(false),
                other => other,
            };
        };
        if !inside && request.is_list() {
            return self.one_of(at, request.alternatives.len());
        }
        let Some(wanted) = request.alternatives.get(at.alternative) else { return Ok(false) };
        let all = wanted.all.as_ref();
        if all.is_some_and(Vec::is_empty) {
            return Ok(false);
        }
        if at.device >= wanted.number {
            let next = At { claim: at.claim, request: at.request + 1, alternative: 0, device: 0 };
            return self.next(next, false, 0);
        }
        let held = self.result.get(at.claim).map_or(0, Vec::len);
        if held + (wanted.number - at.device) > MOST_DEVICES {
            return Err(Stop::TooMany);
        }
        if let Some(all) = all {
            // Which one comes first makes no difference: it has to be had anyway.
            let Some(candidate) = all.get(at.device).copied() else { return Ok(false) };
            return self.with(at, candidate, true, inside, 0);
        }
        for candidate in start..self.candidates.len() {
            if self.with(at, candidate, false, inside, candidate + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the first alternative that can be had.
    fn one_of(&mut self, at: At, alternatives: usize) -> Result<bool, Stop> {
        let mut too_many = true;
        for alternative in 0..alternatives {
            match self.next(At { alternative, ..at }, true, 0) {
                Err(Stop::TooMany) => continue,
                Err(other) => return Err(other),
                Ok(false) => too_many = false,
                Ok(true) => {
                    self.chosen.insert((at.claim, at.request), alternative);
                    return Ok(true);
                }
            }
        }
        if too_many { Err(Stop::TooMany) } else { Ok(false) }
    }

    /// Takes a candidate and looks for the rest; gives it back if that is not to be found.
    fn with(
        &mut self,
        at: At,
        candidate: usize,
        must: bool,
        inside: bool,
        start: usize,
    ) -> Result<bool, Stop> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            let why = "timed out trying to allocate devices";
            return Err(Stop::Trouble(Trouble::Node(why.into())));
        }
        if !self.take(at, candidate, must).map_err(Stop::Trouble)? {
            return Ok(false);
        }
        let found = self.next(At { device: at.device + 1, ..at }, inside, start);
        if !matches!(found, Ok(true)) {
            self.give_back(at, candidate);
        }
        found
    }

    /// Whether a candidate suits class and request; worked out once.
    fn suits(
        &mut self,
        candidate: usize,
        (claim, request, alternative): (usize, usize, usize),
        wanted: &Alternative<'a>,
    ) -> Result<bool, Trouble> {
        let key = (candidate, claim, request, alternative);
        if let Some(known) = self.suits.get(&key) {
            return Ok(*known);
        }
        let candidates = self.candidates.clone();
        let Some(of) = candidates.get(candidate) else { return Ok(false) };
        let claim = self.claims.get(claim).map(|c| request::claim_name(c)).unwrap_or_default();
        let driver = &of.slice.spec.driver;
        let selectors = wanted.class.spec.selectors.as_deref().unwrap_or_default();
        let class = wanted.class.metadata.name.as_deref().unwrap_or_default();
        let mut suits = true;
        for (who, selectors) in [
            (format!("class {class}"), selectors),
            (format!("claim {claim}"), wanted.wish.selectors),
        ] {
            if selectors.is_empty() || !suits {
                continue;
            }
            let fatal = |why: String| Trouble::Fatal(format!("{who}: {why}"));
            let seen = of.variables.get_or_init(|| selectors::variables(of.device, driver));
            let seen = seen
                .as_ref()
                .map_err(|why| fatal(format!("selector #0: CEL runtime error: {why}")))?;
            suits = self.offers.programs.choose(selectors, seen).map_err(fatal)?;
        }
        if suits && of.slice.spec.per_device_node_selection == Some(true) {
            suits = pools::device_reaches(of.device, self.node);
        }
        self.suits.insert(key, suits);
        Ok(suits)
    }

    fn suffices(&self, candidate: usize, wish: &Wish) -> bool {
        self.candidates.get(candidate).is_some_and(|of| {
            let about = self.sharing.get(&candidate).map(|(_, amounts)| amounts);
            capacity::suffices(of.device, wish.capacity, of.shares.as_ref(), about)
        })
    }

    /// Takes a candidate if it is free, suits and goes with the others. `must`: no other will do.
    fn take(&mut self, at: At, candidate: usize, must: bool) -> Result<bool, Trouble> {
        let (requests, candidates) = (self.requests.clone(), self.candidates.clone());
        let wanted = wanted(&requests, at);
        let (Some(of), Some(wanted)) = (candidates.get(candidate), wanted) else {
            return Ok(false);
        };
        let taking = self.taking.get(&candidate);
        let busy = match wanted.wish.admin {
            true => taking.is_some_and(|claims| claims.contains(&at.claim)),
            false => of.taken || taking.is_some_and(|claims| !claims.is_empty()),
        };
        let place = (at.claim, at.request, at.alternative);
        if busy || !(must || self.suits(candidate, place, wanted)?) {
            return Ok(false);
        }
        let wish = &wanted.wish;
        let taints = of.device.taints.as_deref().unwrap_or_default();
        let about = self.sharing.get(&candidate).map(|(_, amounts)| amounts);
        if wish.is_repelled(taints)
            || !capacity::suffices(of.device, wish.capacity, of.shares.as_ref(), about)
        {
            return Ok(false);
        }
        // A shared device uses up its counters once.
        let counts = !(of.is_shared() && (of.shares.is_some() || about.is_some()));
        if counts && of.device.consumes_counters.is_some() {
            let (offers, pool) = (self.offers, of.pool);
            let Some(of_pool) = self.pools.get(pool) else { return Ok(false) };
            let left = self.left.entry(pool).or_insert_with(|| counters::left(offers, of_pool));
            let mut short = false;
            for (counter, amount) in counters::uses(of.device) {
                let has = left.entry(counter).or_insert(Amount::ZERO);
                *has = has.minus(amount);
                short |= has.is_negative();
            }
            if short {
                put_back(left, of.device);
                return Ok(false);
            }
        }
        let driver = &of.slice.spec.driver;
        let own = self.constraints.get_mut(at.claim).map(Vec::as_mut_slice).unwrap_or_default();
        let failed = own.iter_mut().position(|c| !c.add(wish, driver, of.device));
        if let Some(failed) = failed {
            own.iter_mut().take(failed).for_each(|c| c.remove(wish));
            if let Some(left) = self.left.get_mut(&of.pool).filter(|_| counts) {
                put_back(left, of.device);
            }
            if must {
                let claim = self.claims.get(at.claim).map(|c| request::claim_name(c));
                return Err(Trouble::Fatal(format!(
                    "claim {}, request {}: cannot add device {} because a claim constraint would \
                     not be satisfied",
                    claim.unwrap_or_default(),
                    wish.name,
                    of.key
                )));
            }
            return Ok(false);
        }
        let share = of.is_shared().then(|| capacity::consumed(of.device, wish.capacity));
        match &share {
            Some(share) => {
                let (count, amounts) = self.sharing.entry(candidate).or_default();
                *count += 1;
                for (name, quantity) in share {
                    let sum = amounts.entry(name.clone()).or_default();
                    *sum = sum.plus(Amount::of(quantity));
                }
            }
            None => drop(self.taking.entry(candidate).or_default().insert(at.claim)),
        }
        let (request, admin) = (wish.full_name(), wish.admin);
        if let Some(result) = self.result.get_mut(at.claim) {
            result.push(Taken { candidate, request, admin, share });
        }
        Ok(true)
    }

    fn give_back(&mut self, at: At, candidate: usize) {
        let Some(taken) = self.result.get_mut(at.claim).and_then(Vec::pop) else { return };
        let (requests, candidates) = (self.requests.clone(), self.candidates.clone());
        let wanted = wanted(&requests, at);
        let (Some(of), Some(wanted)) = (candidates.get(candidate), wanted) else { return };
        for constraint in self.constraints.get_mut(at.claim).into_iter().flatten() {
            constraint.remove(&wanted.wish);
        }
        let mut counts = true;
        if let Some(share) = taken.share {
            let (count, amounts) = self.sharing.entry(candidate).or_default();
            *count -= 1;
            for (name, quantity) in &share {
                let sum = amounts.entry(name.clone()).or_default();
                *sum = sum.minus(Amount::of(quantity));
            }
            counts = *count == 0 && of.shares.is_none();
            if *count == 0 {
                self.sharing.remove(&candidate);
            }
        } else if let Some(claims) = self.taking.get_mut(&candidate) {
            claims.remove(&at.claim);
        }
        if let Some(left) = self.left.get_mut(&of.pool).filter(|_| counts) {
            put_back(left, of.device);
        }
    }
}

fn wanted<'r, 'a>(requests: &'r [Vec<Request<'a>>], at: At) -> Option<&'r Alternative<'a>> {
    requests.get(at.claim)?.get(at.request)?.alternatives.get(at.alternative)
}

fn put_back(left: &mut Counters, device: &Device) {
    for (counter, amount) in counters::uses(device) {
        if let Some(has) = left.get_mut(&counter) {
            *has = has.plus(amount);
        }
    }
}

fn candidates<'a>(offers: &Offers, pools: &'a [Pool]) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    for (pool, of) in pools.iter().enumerate().filter(|(_, p)| p.state == State::Ready) {
        for slice in &of.slices {
            for device in pools::devices(slice) {
                let spec = &slice.spec;
                let key = index::device_key(&spec.driver, &spec.pool.name, &device.name);
                all.push(Candidate {
                    slice,
                    device,
                    pool,
                    taken: index::is_taken(&offers.client, &key),
                    shares: index::shares(&offers.client, &key),
                    key,
                    variables: OnceCell::new(),
                });
            }
        }
    }
    all
}

fn constraints<'a>(
    given: &'a [DeviceConstraint],
    claim: &str,
) -> Result<Vec<Constraint<'a>>, Trouble> {
    let make = |(i, one): (usize, &'a DeviceConstraint)| {
        Constraint::of(one).ok_or_else(|| {
            Trouble::Fatal(format!(
                "claim {claim}, constraint #{i}: empty constraint (unsupported constraint type?)"
            ))
        })
    };
    given.iter().enumerate().map(make).collect()
}
