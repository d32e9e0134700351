//! What is seen is what the manifest says.

use super::*;

/// Numbers that are the same in every run: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Names that are near to each other and to what divides them, of all lengths.
    fn name(&mut self) -> String {
        let parts = [
            "a", "b", "A", ".", "..a", "-", "!", "0", " ", "é", "e\u{301}", "😀", "\n", "\\", "~",
            "a.b", "\u{7f}",
        ];
        let mut name = String::new();
        for _ in 0..=self.below(3) {
            name.push_str(self.pick(&parts));
        }
        if self.below(12) == 0 {
            let more = self.pick(&[100, 200, 254, 255]);
            name.push_str(&"x".repeat(more));
            while name.len() > 255 {
                name.pop();
            }
        }
        match name.as_str() {
            "." | ".." => "dots".to_owned(),
            _ => name,
        }
    }
}

/// Walks a folder: each path with what lies there, and whether folders are as they should be.
fn walk(root: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let found = entry.path().symlink_metadata().unwrap();
        assert_eq!(found.mtime(), 315_532_800, "{:?}", entry.path());
        if found.is_dir() {
            assert_eq!(found.mode() & 0o7777, 0o555);
            continue;
        }
        let content = if found.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            std::os::unix::ffi::OsStringExt::into_vec(target.into_os_string())
        } else if found.len() < 1 << 20 {
            fs::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        let path = entry.path().strip_prefix(root).unwrap();
        let path = path.to_str().unwrap().to_owned();
        seen.insert(path, (found.mode(), found.len(), content));
    }
    seen
}

struct Tree {
    entries: BTreeMap<String, Node>,
    expected: BTreeMap<String, (u32, u64, Vec<u8>)>,
}

impl Tree {
    fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    /// Adds what may stand beside what is there: no path is both a file and a folder.
    fn add(&mut self, path: &str, node: Node, content: &[u8]) {
        let inside = format!("{path}/");
        let is_folder = |(other, _): (&String, &Node)| other.starts_with(&inside);
        let mut around = path.match_indices('/').map(|(at, _)| &path[..at]);
        if self
            .entries
            .range(inside.clone()..)
            .next()
            .is_some_and(is_folder)
            || around.any(|folder| self.entries.contains_key(folder))
            || path.len() > 4096
        {
            return;
        }
        let (mode, size) = match &node {
            Node::File {
                size, executable, ..
            } => {
                let mode = if *executable { 0o100_555 } else { 0o100_444 };
                (mode, *size)
            }
            Node::Symlink { target } => (0o120_777, target.len() as u64),
        };
        self.entries.insert(path.to_owned(), node);
        self.expected
            .insert(path.to_owned(), (mode, size, content.to_vec()));
    }

    async fn check(&self, bed: &Bed) {
        let digest = bed.manifest(&self.entries);
        let place = bed.show(digest).await.unwrap();
        let seen = walk(&place);
        for (path, expected) in &self.expected {
            assert_eq!(seen.get(path), Some(expected), "{path:?}");
        }
        assert_eq!(seen.len(), self.expected.len());
        // By name, also where nothing is.
        for path in self.expected.keys() {
            assert!(place.join(path).symlink_metadata().is_ok(), "{path:?}");
            let beside = place.join(format!("{path}\u{1}"));
            if path.rsplit('/').next().unwrap().len() < 255 {
                let error = beside.symlink_metadata().unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::NotFound);
            }
        }
    }
}

fn executable(node: &Node) -> Node {
    match node {
        Node::File { hash, size, .. } => Node::File {
            hash: *hash,
            size: *size,
            executable: true,
        },
        Node::Symlink { .. } => node.clone(),
    }
}

#[tokio::test]
async fn random_manifests_are_shown_as_they_are() {
    let Some(bed) = Bed::new().await else { return };
    let contents: Vec<Vec<u8>> = (0..20_usize)
        .map(|n| format!("{n}\n").repeat(n * n * 3).into_bytes())
        .collect();
    let nodes = bed.put_all(contents.iter().map(Vec::as_slice));
    for seed in 0..60 {
        let (mut numbers, mut tree) = (Numbers(seed), Tree::new());
        let mut folders = vec![String::new()];
        for _ in 0..numbers.pick(&[0, 1, 3, 30, 300]) {
            let around = folders[numbers.below(folders.len())].clone();
            let path = format!("{around}{}", numbers.name());
            if numbers.below(3) == 0 && around.matches('/').count() < 60 {
                folders.push(format!("{path}/"));
                continue;
            }
            let which = numbers.below(nodes.len());
            match numbers.below(8) {
                0 => {
                    let size = numbers.pick(&[1, 30, 500, 4000, 4063, 4064, 4065, 4095]);
                    let target = "t".repeat(size);
                    let node = Node::Symlink {
                        target: target.clone(),
                    };
                    tree.add(&path, node, target.as_bytes());
                }
                1 => tree.add(&path, executable(&nodes[which]), &contents[which]),
                _ => tree.add(&path, nodes[which].clone(), &contents[which]),
            }
        }
        tree.check(&bed).await;
    }
}

#[tokio::test]
async fn wide_and_deep_folders_are_shown() {
    let Some(bed) = Bed::new().await else { return };
    let node = bed.put(b"content");
    let mut tree = Tree::new();
    for number in 0..10_000 {
        tree.add(&format!("wide/{number:05}.jpg"), node.clone(), b"content");
        if number % 100 == 0 {
            let long = format!("long/{number:04}{}", "l".repeat(251));
            tree.add(&long, node.clone(), b"content");
            tree.add(&format!("many/{number}/x"), node.clone(), b"content");
        }
    }
    tree.add(
        &format!("{}x", "deep/".repeat(63)),
        node.clone(),
        b"content",
    );
    let deep = format!("{}/", "d".repeat(255)).repeat(15);
    tree.add(&format!("{deep}x"), executable(&node), b"content");
    tree.check(&bed).await;
}

#[tokio::test]
async fn folders_of_any_size_are_searched_right() {
    let Some(bed) = Bed::new().await else { return };
    let node = bed.put(b"content");
    let mut tree = Tree::new();
    // Around the limits of a block: 12 bytes and the name for each, and those of the folder and of what is around it.
    for last in 0..200_usize {
        for number in 0..15 {
            let path = format!("{last:03}/{number:02}{}", "n".repeat(244));
            tree.add(&path, node.clone(), b"content");
        }
        let path = format!("{last:03}/z{}", "z".repeat(last));
        tree.add(&path, node.clone(), b"content");
    }
    tree.check(&bed).await;
}

#[tokio::test]
async fn files_larger_than_32_bits_are_shown() {
    let Some(bed) = Bed::new().await else { return };
    let mut tree = Tree::new();
    for size in [(4 << 30) - 1, 4 << 30, (5 << 40) + 7] {
        let hash = Hash::of(&u64::to_le_bytes(size));
        let file = fs::File::create(bed.object(&hash)).unwrap();
        file.set_len(size).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"end", size - 3).unwrap();
        let node = Node::File {
            hash,
            size,
            executable: false,
        };
        tree.add(&size.to_string(), node, &[]);
    }
    tree.check(&bed).await;
    let place = bed.show(bed.manifest(&tree.entries)).await.unwrap();
    let (mut end, size) = ([0; 3], (5 << 40) + 7);
    let file = fs::File::open(place.join(size.to_string())).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut end, size - 3).unwrap();
    assert_eq!(&end, b"end");
}

#[tokio::test]
async fn an_image_is_the_same_each_time_and_small() {
    let fixture = Fixture::new().await;
    let rung = Rung::Farm("not asked".to_owned());
    let bed = Bed::over(fixture, rung).await;
    let node = bed.put(b"content");
    let paths = (0..20_000).map(|n| (format!("{:02}/{n:08}.jpg", n / 250), node.clone()));
    let entries: BTreeMap<_, _> = paths.collect();
    let write = |owner| {
        let file = tempfile::tempfile().unwrap();
        let all = entries.iter().map(|(path, node)| {
            let (path, node) = (path.clone(), node.clone());
            Ok(Entry { path, node })
        });
        let length = image::write(&file, &Hash::of(b"digest"), owner, all).unwrap();
        assert_eq!(file.metadata().unwrap().len(), length);
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
        bytes
    };
    let (root, other) = (
        crate::materialise::Owner { uid: 0, gid: 0 },
        crate::materialise::Owner {
            uid: 100_000,
            gid: 7,
        },
    );
    let bytes = write(root);
    assert!(bytes == write(root), "equal manifests, equal bytes");
    assert!(bytes != write(other));
    // An inode, an entry of its folder with a name of 12 bytes, and the folders.
    let each = bytes.len() / entries.len();
    assert!(each <= 128 + 12 + 12 + 12, "{each} bytes for each file");
}

#[tokio::test]
async fn owners_of_more_than_16_bits_are_shown() {
    let Some(bed) = Bed::new().await else { return };
    let node = bed.put(b"content");
    let Rung::Kernel(way) = *bed.mounts.rung() else {
        return;
    };
    let file = tempfile::tempfile_in(bed.fixture.dir.path()).unwrap();
    let entries = (0..300).map(|n| {
        let path = format!("sub/{n:03}/file");
        let node = executable(&node);
        Ok(Entry { path, node })
    });
    let owner = crate::materialise::Owner {
        uid: 1_000_000,
        gid: 70_000,
    };
    image::write(&file, &Hash::of(b"digest"), owner, entries).unwrap();
    let (aside, place) = (bed.fixture.folder("aside"), bed.fixture.folder("place"));
    let objects = bed.fixture.store.within("objects");
    let mount = kernel::make(&file, &objects, "cairn-test", (way.0, &aside)).unwrap();
    kernel::attach(&mount, &place).unwrap();
    for path in ["", "sub", "sub/299/file"] {
        let found = place.join(path).metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (1_000_000, 70_000), "{path}");
    }
    assert_eq!(fs::read(place.join("sub/200/file")).unwrap(), b"content");
    let found = place.join("sub/200/file").metadata().unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o555);
    kernel::detach(&place).unwrap();
}
