//! A call tree as a flame graph: an SVG file that needs nothing else.
//!
//! Every box is a function in one stack, as wide as its compute units, callers below callees.
//! Pointing at a box shows its figures; a click widens it to the whole width, another one on a box
//! below it goes back.

use {
    super::profile::{Callee, Node, Profile},
    crate::cli::{
        functions::Functions,
        text::{escaped, grouped},
    },
    std::fmt::Write as _,
};

/// Pixels across.
const WIDTH: f64 = 1200.0;
/// Pixels of a row.
const ROW: f64 = 17.0;
/// Pixels above and below the boxes.
const MARGIN: f64 = 28.0;
/// Pixels that a letter takes.
const LETTER: f64 = 7.0;
/// Boxes narrower than this are left out: nobody could see them.
const NARROWEST: f64 = 0.1;

/// Widens the box that is clicked. Boxes know their place in parts of the whole.
const SCRIPT: &str = "
const boxes = [...document.querySelectorAll('g[data-x]')];
function zoom(target) {
  const left = +target.dataset.x, scale = 1 / +target.dataset.w, row = +target.dataset.d;
  for (const box of boxes) {
    const x = +box.dataset.x, w = +box.dataset.w, below = +box.dataset.d < row;
    const inside = x >= left - 1e-9 && x + w <= left + 1 / scale + 1e-9;
    const around = below && x <= left + 1e-9 && x + w >= left + 1 / scale - 1e-9;
    box.style.display = inside || around ? '' : 'none';
    const start = around ? 0 : (x - left) * scale, width = around ? 1 : w * scale;
    const [rect, text] = [box.querySelector('rect'), box.querySelector('text')];
    rect.setAttribute('x', start * WIDTH); rect.setAttribute('width', width * WIDTH);
    text.setAttribute('x', start * WIDTH + 3);
    const letters = Math.floor(width * WIDTH / LETTER) - 1, name = box.dataset.n;
    text.textContent = letters < 3 ? '' : name.length <= letters ? name
      : name.slice(0, letters - 1) + '…';
  }
}
for (const box of boxes) box.addEventListener('click', () => zoom(box));
";

/// Draws `profile`.
pub(crate) fn render(profile: &Profile, functions: &Functions, program: &str) -> String {
    let total = profile.total();
    let rows = depth(&profile.root);
    let height = MARGIN * 2.0 + rows as f64 * ROW;
    let mut svg = String::new();
    let title = format!("{program}: {} compute units", grouped(total));
    // Writing to a string can't fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" font-size=\"12\">\n\
         <style>g[data-x]:hover rect {{ stroke: #000; }} g[data-x] {{ cursor: pointer; }}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fffdf7\"/>\n\
         <text x=\"{}\" y=\"18\" text-anchor=\"middle\">{}</text>\n",
        WIDTH / 2.0,
        escaped(&title)
    );
    let mut drawing = Drawing {
        svg,
        functions,
        total,
        bottom: height - MARGIN - ROW,
    };
    drawing.callees(&profile.root, 0, 0);
    let mut svg = drawing.svg;
    let script = SCRIPT
        .replace("WIDTH", &WIDTH.to_string())
        .replace("LETTER", &LETTER.to_string());
    let _ = write!(svg, "<script><![CDATA[{script}]]></script>\n</svg>\n");
    svg
}

/// Rows of boxes above a node.
fn depth(node: &Node) -> usize {
    let deepest = node.callees.values().map(depth).max();
    deepest.map_or(0, |rows| rows + 1)
}

struct Drawing<'f> {
    svg: String,
    functions: &'f Functions,
    total: u64,
    /// The top of the lowest row.
    bottom: f64,
}

impl Drawing<'_> {
    /// Draws what `node` called, from `start` units on.
    fn callees(&mut self, node: &Node, mut start: u64, row: usize) {
        for (callee, node) in &node.callees {
            let units = node.total();
            if self.share(units) * WIDTH >= NARROWEST {
                self.draw(callee, node, start, units, row);
                self.callees(node, start, row + 1);
            }
            start += units;
        }
    }

    fn draw(&mut self, callee: &Callee, node: &Node, start: u64, units: u64, row: usize) {
        let (name, hue) = match callee {
            Callee::Function(pc) => {
                let name = self.functions.at(*pc).name;
                (name.to_string(), 10 + shade(name) % 45)
            }
            Callee::Syscall(name) => (format!("{name} (syscall)"), 190 + shade(name) % 40),
        };
        let (x, w) = (self.share(start), self.share(units));
        let y = self.bottom - row as f64 * ROW;
        let percent = w * 100.0;
        let letters = ((w * WIDTH / LETTER) as usize).saturating_sub(1);
        let label = match name.chars().count() {
            _ if letters < 3 => String::new(),
            count if count <= letters => name.clone(),
            _ => name.chars().take(letters - 1).chain(['…']).collect(),
        };
        let _ = writeln!(
            self.svg,
            "<g data-x=\"{x:.9}\" data-w=\"{w:.9}\" data-d=\"{row}\" data-n=\"{full}\">\
             <title>{full}: {} compute units ({percent:.2} %), {} of its own</title>\
             <rect x=\"{:.3}\" y=\"{y}\" width=\"{:.3}\" height=\"{}\" rx=\"1\" \
             fill=\"hsl({hue}, 85%, 68%)\"/>\
             <text x=\"{:.3}\" y=\"{}\">{}</text></g>",
            grouped(units),
            grouped(node.own),
            x * WIDTH,
            w * WIDTH,
            ROW - 1.0,
            x * WIDTH + 3.0,
            y + ROW - 5.0,
            escaped(&label),
            full = escaped(&name),
        );
    }

    /// A part of the whole.
    fn share(&self, units: u64) -> f64 {
        units as f64 / self.total.max(1) as f64
    }
}

/// A number that belongs to a name, so that it has the same colour in every graph.
fn shade(name: &str) -> u32 {
    name.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    }) >> 3
}
