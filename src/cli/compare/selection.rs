//! What is measured: everything there is, or what the command line names.

use {
    super::{
        CompareArguments, Part,
        compilation::{self, CompilationRow},
        programs::{self, Source},
        real,
        settings::Settings,
        subject::{Family, Subject},
        workloads::{self, Workload},
    },
    crate::cli::{failure::Failure, samples::Sample},
    std::{ffi::OsStr, rc::Rc},
};

/// What is run and what is compiled.
pub(crate) struct Selection {
    /// To be run.
    pub(crate) subjects: Vec<Runnable>,
    /// To be compiled.
    pub(crate) programs: Vec<Compilable>,
}

/// Something to run. Bundled programs are loaded when it is their turn.
pub(crate) enum Runnable {
    /// A small program made to stress one thing.
    Workload(String, Workload),
    /// A real program.
    Sample(&'static Sample),
    /// A real program where each account is a region of its own.
    AccountRegions(String, &'static Sample),
    /// What the command line names.
    Given(Rc<Subject>),
}

/// Something to compile.
pub(crate) enum Compilable {
    /// A bundled program.
    Bundled(Source),
    /// The program of what the command line names.
    Given(Rc<Subject>),
}

impl Selection {
    /// What `arguments` ask for.
    ///
    /// # Errors
    /// When a program that they name can't be loaded, or a filter leaves nothing.
    pub(crate) fn of(arguments: &CompareArguments) -> Result<Self, Failure> {
        let mut selection = if arguments.programs.is_empty() || arguments.bench {
            Self::standard()?
        } else {
            Self::given(arguments)?
        };
        let filters = arguments.filters();
        let selects = |name: &str| {
            let name = name.to_lowercase();
            filters.iter().all(|filter| name.contains(filter))
        };
        if !arguments.wants(Part::Execution) {
            selection.subjects.clear();
        }
        if !arguments.wants(Part::Compilation) {
            selection.programs.clear();
        }
        selection.subjects.retain(|subject| selects(subject.name()));
        selection.programs.retain(|program| selects(program.name()));
        if selection.len() == 0 {
            let what = format!("nothing has {:?} in its name", filters.join(" "));
            return Err(Failure::at("--filter", what));
        }
        Ok(selection)
    }

    /// All workloads, all samples, all bundled programs.
    fn standard() -> Result<Self, Failure> {
        let workloads = workloads::all().into_iter();
        let workloads = workloads.map(|one| Runnable::Workload(one.to_string(), one));
        Ok(Self {
            subjects: workloads
                .chain(real::samples().map(Runnable::Sample))
                .chain(real::samples().map(|sample| {
                    Runnable::AccountRegions(real::name_with_account_regions(sample), sample)
                }))
                .collect(),
            programs: programs::all()?
                .into_iter()
                .map(Compilable::Bundled)
                .collect(),
        })
    }

    /// What the command line names.
    fn given(arguments: &CompareArguments) -> Result<Self, Failure> {
        let input = arguments.on.read()?;
        let load = |word: &OsStr| {
            real::given(word.as_ref(), arguments.version.sbpf_version, &input).map(Rc::new)
        };
        let words = arguments.programs.iter().map(|word| word.as_os_str());
        let subjects = words.map(load).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            programs: subjects.iter().cloned().map(Compilable::Given).collect(),
            subjects: subjects.into_iter().map(Runnable::Given).collect(),
        })
    }

    /// How many things are measured.
    pub(crate) fn len(&self) -> usize {
        self.subjects.len() + self.programs.len()
    }
}

impl Runnable {
    /// The name in reports and filters.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Workload(name, _) => name,
            Self::Sample(sample) => sample.name,
            Self::AccountRegions(name, _) => name,
            Self::Given(subject) => &subject.name,
        }
    }

    /// The subject, loaded.
    ///
    /// # Errors
    /// When a bundled program can't be loaded, which would be a defect of it.
    pub(crate) fn load(&self) -> Result<Rc<Subject>, Failure> {
        match self {
            Self::Workload(_, workload) => workload.subject().map(Rc::new),
            Self::Sample(sample) => real::sample(sample, Family::RealPrograms).map(Rc::new),
            Self::AccountRegions(_, sample) => real::with_account_regions(sample).map(Rc::new),
            Self::Given(subject) => Ok(Rc::clone(subject)),
        }
    }
}

impl Compilable {
    /// The name in reports and filters.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bundled(source) => &source.name,
            Self::Given(subject) => &subject.name,
        }
    }

    /// Measures what compiling it takes.
    ///
    /// # Errors
    /// When it can't be loaded or compiled.
    pub(crate) fn measure(&self, settings: &Settings) -> Result<CompilationRow, Failure> {
        match self {
            Self::Bundled(source) => {
                compilation::measure(&source.name, source.is_real, &source.load()?, settings)
            }
            Self::Given(subject) => {
                compilation::measure(&subject.name, false, &subject.program, settings)
            }
        }
    }
}
