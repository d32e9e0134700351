//! Notebooks that are made up from pieces of real ones, by a seed.

/// Numbers that look random and are the same each time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end).unwrap();
        usize::try_from((self.0 >> 11) % end).unwrap()
    }
}

/// Pieces. `<n>` is a number that is there, `<N>` one that is made; so lists `x`, dicts `d`, functions `f`, objects `o`, classes `c`,
/// iterators `i`, files `p`, texts `s`. A piece whose needs are not there is not taken.
const PIECES: &str = include_str!("grammar.txt");
/// How many names of a kind there are: few, so that they are bound again.
const NAMES: usize = 3;

/// The cells of a notebook.
pub(super) fn notebook(dice: &mut Dice) -> Vec<String> {
    let pieces: Vec<&str> = PIECES.split("\n---\n").map(str::trim_end).collect();
    let mut made: Vec<(char, usize)> = Vec::new();
    let mut cells = vec![
        "import csv, glob, io, itertools, json, math, os, pickle, random, shutil, subprocess, sys, zipfile\nimport contextlib, functools, collections\nfrom pathlib import Path".to_owned(),
    ];
    for first in ["<N> = 3", "<X> = [3, 1, 2]"] {
        cells.extend(filled(first, &mut made, dice));
    }
    let length = 12 + dice.below(10);
    while cells.len() < length {
        let piece = pieces[dice.below(pieces.len())];
        let Some(cell) = filled(piece, &mut made, dice) else {
            continue;
        };
        // Cells of more than one piece.
        if dice.below(4) == 0
            && cells.len() > 3
            && let Some(last) = cells.last_mut()
            && !last.starts_with("%%")
            && !cell.starts_with("%%")
        {
            last.push('\n');
            last.push_str(&cell);
        } else {
            cells.push(cell);
        }
    }
    let shown = made.len().min(3);
    let names: Vec<String> = (0..shown)
        .map(|_| made[dice.below(made.len())])
        .filter(|(kind, _)| "nxds".contains(*kind))
        .map(|(kind, at)| format!("{kind}{at}"))
        .collect();
    cells.push(format!("print({})", names.join(", ")));
    cells
}

fn filled(piece: &str, made: &mut Vec<(char, usize)>, dice: &mut Dice) -> Option<String> {
    let mut cell = String::new();
    let mut rest = piece;
    let mut new = Vec::new();
    while let Some((before, after)) = rest.split_once('<') {
        let kind = after.chars().next().filter(char::is_ascii_alphabetic);
        let Some(kind) = kind.filter(|_| after[1..].starts_with('>')) else {
            cell.push_str(before);
            cell.push('<');
            rest = after;
            continue;
        };
        cell.push_str(before);
        rest = &after[2..];
        let name = kind.to_ascii_lowercase();
        let at = if kind.is_ascii_uppercase() {
            let at = dice.below(NAMES);
            new.push((name, at));
            at
        } else {
            let there: Vec<usize> = made
                .iter()
                .filter(|(kind, _)| *kind == name)
                .map(|(_, at)| *at)
                .collect();
            if there.is_empty() {
                return None;
            }
            there[dice.below(there.len())]
        };
        cell.push(name);
        cell.push_str(&at.to_string());
    }
    cell.push_str(rest);
    for one in new {
        if !made.contains(&one) {
            made.push(one);
        }
    }
    Some(cell)
}
