//! The figures as pictures (SVG).

use std::error::Error;

use plotters::{
    chart::SeriesLabelPosition,
    coord::Shift,
    prelude::{
        ChartBuilder, Circle, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries, PathElement, RGBColor,
        SVGBackend, TRANSPARENT, WHITE,
    },
    style::Color,
};

use super::figures::{Figures, Fleet, short};

/// Width and height, pixels.
const SIZE: (u32, u32) = (720, 400);
const FONT: (&str, u32) = ("sans-serif", 15);
const HEADING: (&str, u32) = ("sans-serif", 18);
/// Colours that the colour-blind tell apart (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const GREY: RGBColor = RGBColor(110, 110, 110);

type Paper<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// Lines over the number of objects, both on logarithmic scales.
struct Graph {
    heading: &'static str,
    /// What is up, with its unit.
    up: &'static str,
    /// Least and most of it.
    within: (f64, f64),
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    colour: RGBColor,
    /// By the number of objects.
    points: Vec<(f64, f64)>,
}

fn line(name: &'static str, colour: RGBColor, points: Vec<(f64, f64)>) -> Line {
    Line { name, colour, points }
}

/// All pictures of which there are figures: file and text.
///
/// # Errors
/// One can't be drawn.
pub(super) fn pictures(figures: &Figures) -> Result<Vec<(&'static str, String)>, String> {
    let mut pictures = Vec::new();
    let mut add = |name, draw: &dyn Fn(&Paper) -> Drawn| {
        let mut text = String::new();
        let paper = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let drawn = paper.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&paper));
        drawn.map_err(|error| format!("drawing {name}: {error}"))?;
        drop(paper);
        pictures.push((name, text));
        Ok::<_, String>(())
    };
    if !figures.fleets.is_empty() {
        add("ready.svg", &|paper| draw(paper, ready(figures)))?;
        add("calls.svg", &|paper| draw(paper, calls(figures)))?;
        add("memory.svg", &|paper| draw(paper, memory(figures)))?;
    }
    if figures.sight.is_some() {
        add("sight.svg", &|paper| sight(paper, figures))?;
    }
    Ok(pictures)
}

/// A figure of each fleet.
fn over(figures: &Figures, figure: impl Fn(&Fleet) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |fleet: &Fleet| {
        #[allow(clippy::cast_precision_loss, reason = "a place in a picture")]
        let roles = fleet.roles as f64;
        figure(fleet).map(|figure| (roles, figure))
    };
    figures
        .fleets
        .iter()
        .filter_map(|fleet| point(&fleet.figures))
        .collect()
}

fn ready(figures: &Figures) -> Graph {
    let mut lines = vec![
        line(
            "here: start to all Ready",
            BLUE,
            over(figures, |fleet| Some(fleet.to_ready)),
        ),
        line(
            "here: restart to all known as declared",
            GREEN,
            over(figures, |fleet| Some(fleet.restart.known)),
        ),
    ];
    if let Some(peer) = &figures.peer {
        lines.push(line("ACK: start to all synced", ORANGE, vec![(1000.0, peer.to_ready)]));
    }
    Graph {
        heading: "Time until all roles are Ready (20 ms an IAM call, 10 passes at once)",
        up: "seconds",
        within: (0.1, 1000.0),
        lines,
    }
}

fn calls(figures: &Figures) -> Graph {
    let mut lines = vec![line(
        "here: by sweep",
        BLUE,
        over(figures, |fleet| fleet.rest.calls_per_look()),
    )];
    lines.push(line("here: without sweeps", GREEN, over(figures, |_| Some(3.0))));
    if let Some(peer) = &figures.peer {
        lines.push(line("ACK", ORANGE, over(figures, |_| Some(peer.look[0]))));
    }
    Graph {
        heading: "IAM calls for a look at one role that finds nothing",
        up: "calls",
        within: (0.001, 1000.0),
        lines,
    }
}

fn memory(figures: &Figures) -> Graph {
    Graph {
        heading: "Memory of the controller",
        up: "MiB",
        within: (10.0, 1000.0),
        lines: vec![
            line(
                "most while the roles are made",
                ORANGE,
                over(figures, |fleet| Some(fleet.peak)),
            ),
            line(
                "at rest after that",
                BLUE,
                over(figures, |fleet| Some(fleet.rest.memory)),
            ),
            line(
                "at rest after a restart",
                GREEN,
                over(figures, |fleet| Some(fleet.restart.rest.memory)),
            ),
        ],
    }
}

fn draw(paper: &Paper, graph: Graph) -> Drawn {
    let (least, most) = graph.within;
    let mut chart = ChartBuilder::on(paper)
        .caption(graph.heading, HEADING)
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((90.0..12_000.0).log_scale(), (least..most).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(FONT)
        .y_labels(6)
        .x_desc("objects")
        .y_desc(graph.up)
        .x_label_formatter(&|number| short(*number))
        .y_label_formatter(&|number| short(*number))
        .draw()?;
    for Line { name, colour, points } in graph.lines {
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        let line = chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
        line.label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(FONT)
        .draw()?;
    Ok(())
}

/// Each change a dot, by the way in which it was seen.
fn sight(paper: &Paper, figures: &Figures) -> Drawn {
    let ways = [("interval", GREY), ("sweep", BLUE), ("message", GREEN)];
    let mut chart = ChartBuilder::on(paper)
        .caption(
            "Time from a change of a role to its repair (1,000 roles, default settings)",
            HEADING,
        )
        .margin(12)
        .x_label_area_size(30)
        .y_label_area_size(64)
        .build_cartesian_2d(0.5..3.5_f64, (0.01..2000.0).log_scale())?;
    let names = |place: &f64| ["seen by the interval alone", "by sweep", "by message"][index(*place)].to_owned();
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(FONT)
        .x_labels(4)
        .x_label_formatter(&names)
        .y_desc("seconds")
        .y_label_formatter(&|seconds| short(*seconds))
        .draw()?;
    let sights = figures.sight.iter().flat_map(|sight| &sight.figures);
    for sight in sights {
        let Some((at, (_, colour))) = (1_u8..).zip(ways).find(|(_, (way, _))| *way == sight.way) else {
            continue;
        };
        // Side by side, so that none hides another.
        let count = f64::from(u32::try_from(sight.times.len()).unwrap_or(1));
        let place = |nth: u32| f64::from(at) + (f64::from(nth) / count - 0.5) * 0.6;
        let dots = (0_u32..).zip(&sight.times).map(|(nth, time)| (place(nth), *time));
        chart.draw_series(dots.map(|dot| Circle::new(dot, 4, colour.mix(0.7).filled())))?;
    }
    Ok(())
}

/// The way whose column is there.
fn index(place: f64) -> usize {
    [1.5, 2.5].iter().filter(|border| place > **border).count()
}
