//! Feeds targets on stable Rust: mutations of what has shown something new, for a given time.
//!
//! An input has shown something new if the target observed it, mostly an opcode in a program that ended
//! in another way ([`Observation`](crate::Observation)), or if code was executed that no input had
//! reached, where that is counted ([`coverage`]).

use {
    crate::{
        Divergence, Target, coverage, findings::Findings, minimise::minimise, mutation,
        target::FEATURES,
    },
    rand::{Rng, SeedableRng, seq::IndexedRandom},
    rand_chacha::ChaCha8Rng,
    serde::{Deserialize, Serialize},
    std::{
        fs::{self, File},
        io::{self, Write},
        path::PathBuf,
        thread,
        time::{Duration, Instant},
    },
};

/// How long a target runs before the next one has its turn, for each unit of its share.
const TURN: Duration = Duration::from_millis(10);

/// Inputs that are kept of a target.
const CORPUS: usize = 4096;

/// Divergences of a target after which it is left out.
const ENOUGH: usize = 5;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The targets.
    pub targets: Vec<&'static Target>,
    /// For how long.
    pub time: Duration,
    /// The seed of the first thread; the others count up.
    pub seed: u64,
    /// Threads, each with inputs of its own.
    pub threads: usize,
    /// Where divergences go.
    pub findings: Findings,
}

/// What was run of a target.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Totals {
    /// The target's name.
    pub target: String,
    /// Inputs tried.
    pub executions: u64,
    /// Those with a program that was run on all engines.
    pub ran: u64,
    /// Distinct kinds of observation, of [`FEATURES`] at most.
    pub features: usize,
    /// Inputs kept because they showed something new.
    pub corpus: usize,
    /// Time spent, in seconds of a thread.
    pub seconds: f64,
    /// Inputs on which something was not as it has to be, as files.
    pub divergences: Vec<PathBuf>,
    /// Inputs on which only the hand-written JIT of `solana-sbpf` differs.
    pub rival_divergences: Vec<PathBuf>,
}

/// Runs a plan and gives the totals of its targets, in their order.
///
/// # Errors
/// When files can't be written.
///
/// # Panics
/// If a thread can't be started.
pub fn run(plan: &Plan) -> io::Result<Vec<Totals>> {
    fs::create_dir_all(
        plan.findings
            .current(0)
            .parent()
            .expect("it is in a directory"),
    )?;
    let end = Instant::now() + plan.time;
    let threads: Vec<_> = (0..plan.threads.max(1))
        .map(|number| {
            let plan = plan.clone();
            thread::spawn(move || Worker::new(&plan, number)?.run(end))
        })
        .collect();
    let mut sum: Vec<(Totals, Vec<bool>)> = Vec::new();
    for thread in threads {
        let turns = thread.join().expect("workers catch panics")?;
        for (index, turn) in turns.into_iter().enumerate() {
            match sum.get_mut(index) {
                Some((totals, seen)) => add(totals, seen, turn),
                None => sum.push((turn.totals, turn.seen)),
            }
        }
    }
    Ok(sum.into_iter().map(|(totals, _)| totals).collect())
}

fn add(totals: &mut Totals, seen: &mut [bool], turn: Turns) {
    totals.executions += turn.totals.executions;
    totals.ran += turn.totals.ran;
    totals.corpus += turn.totals.corpus;
    totals.seconds += turn.totals.seconds;
    totals.divergences.extend(turn.totals.divergences);
    totals
        .rival_divergences
        .extend(turn.totals.rival_divergences);
    for (seen, theirs) in seen.iter_mut().zip(turn.seen) {
        *seen |= theirs;
    }
    totals.features = seen.iter().filter(|seen| **seen).count();
}

/// A thread.
struct Worker {
    plan: Plan,
    seed: u64,
    current: File,
    turns: Vec<Turns>,
    /// Regions of code that were reached, if that is counted.
    reached: usize,
}

/// A target on one thread.
struct Turns {
    target: &'static Target,
    random: ChaCha8Rng,
    seeds: std::vec::IntoIter<Vec<u8>>,
    corpus: Vec<Vec<u8>>,
    seen: Vec<bool>,
    totals: Totals,
}

impl Worker {
    fn new(plan: &Plan, number: usize) -> io::Result<Self> {
        let seed = plan.seed.wrapping_add(number as u64);
        let turns = plan
            .targets
            .iter()
            .zip(0u64..)
            .map(|(target, index)| Turns {
                target,
                random: ChaCha8Rng::seed_from_u64(
                    seed.wrapping_mul(0x9e37_79b9).wrapping_add(index),
                ),
                seeds: (target.seeds)().into_iter(),
                corpus: Vec::new(),
                seen: vec![false; FEATURES],
                totals: Totals {
                    target: target.name.to_string(),
                    ..Totals::default()
                },
            });
        Ok(Self {
            plan: plan.clone(),
            seed,
            current: File::create(plan.findings.current(number))?,
            turns: turns.collect(),
            reached: 0,
        })
    }

    fn run(mut self, end: Instant) -> io::Result<Vec<Turns>> {
        while Instant::now() < end {
            // The one furthest behind its share: a single execution of some takes longer than a turn.
            let open = self.turns.iter_mut();
            let open = open.filter(|turn| turn.totals.divergences.len() < ENOUGH);
            let Some(turn) = open.min_by(|one, other| one.used().total_cmp(&other.used())) else {
                break;
            };
            let start = Instant::now();
            let turn_end = end.min(start + TURN * turn.target.share);
            while Instant::now() < turn_end {
                step(
                    turn,
                    &self.plan,
                    self.seed,
                    &mut self.current,
                    &mut self.reached,
                )?;
            }
            turn.totals.seconds += start.elapsed().as_secs_f64();
        }
        Ok(self.turns)
    }
}

/// One execution.
fn step(
    turn: &mut Turns,
    plan: &Plan,
    seed: u64,
    current: &mut File,
    reached: &mut usize,
) -> io::Result<()> {
    let target = turn.target;
    let input = turn.next();
    leave(current, target, &input)?;
    turn.totals.executions += 1;
    match target.execute(&input) {
        Ok(observation) => {
            turn.totals.ran += u64::from(observation.ran);
            if let Some(report) = observation.rival
                && turn.totals.rival_divergences.len() < ENOUGH
            {
                let path = plan
                    .findings
                    .write(target.name, seed, &input, &Divergence(report))?;
                turn.totals.rival_divergences.push(path);
            }
            let now = coverage::so_far().map_or(0, |coverage| coverage.reached);
            // What another thread has just reached counts too: that keeps an input too many.
            let mut is_new = now > *reached;
            *reached = now;
            for feature in observation.features {
                let seen = &mut turn.seen[usize::from(feature)];
                is_new |= !*seen;
                turn.totals.features += usize::from(!*seen);
                *seen = true;
            }
            if is_new && turn.corpus.len() < CORPUS {
                turn.corpus.push(input);
                turn.totals.corpus = turn.corpus.len();
            }
        }
        Err(found) => {
            let (small, left) = minimise(target, &input, &found);
            let path = plan.findings.write(target.name, seed, &small, &left)?;
            turn.totals.divergences.push(path);
        }
    }
    Ok(())
}

impl Turns {
    /// Time spent, by the target's share.
    fn used(&self) -> f64 {
        self.totals.seconds / f64::from(self.target.share)
    }

    /// The next seed, or a mutation of what is worth it, or now and then something entirely new.
    fn next(&mut self) -> Vec<u8> {
        if let Some(seed) = self.seeds.next() {
            return seed;
        }
        let (longest, random) = (self.target.longest, &mut self.random);
        match self.corpus.choose(random) {
            Some(input) if random.random_range(0..4) != 0 => {
                let mut input = input.clone();
                let unit = self.target.unit;
                mutation::mutate(&mut input, &self.corpus, unit, longest, random);
                input
            }
            // Where bytes are choices, new ones are as good as changed ones.
            Some(input) if self.target.unit > 1 && random.random_range(0..8) != 0 => {
                let mut input = input.clone();
                mutation::mutate(&mut input, &self.corpus, 1, longest, random);
                input
            }
            _ => mutation::fresh(longest, random),
        }
    }
}

/// Leaves the input where it is found if the process does not survive it: the target's name, an end
/// of line, and so many bytes as a number says.
fn leave(current: &mut File, target: &Target, input: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    let mut record = format!("{}\n{}\n", target.name, input.len()).into_bytes();
    record.extend_from_slice(input);
    current.seek(SeekFrom::Start(0))?;
    current.write_all(&record)
}

/// What a worker was running when it was left behind: the target and the input.
pub fn left_behind(record: &[u8]) -> Option<(&'static Target, Vec<u8>)> {
    let mut parts = record.splitn(3, |byte| *byte == b'\n');
    let name = std::str::from_utf8(parts.next()?).ok()?;
    let length: usize = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let input = parts.next()?.get(..length)?;
    Some((crate::named(name)?, input.to_vec()))
}
