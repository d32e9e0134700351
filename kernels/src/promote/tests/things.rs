//! Files, folders, modules, and what all cells share.

use super::*;

#[test]
fn files_are_written_where_the_function_is_called() {
    check(&[
        (
            "def save():\n    open('a', 'w').write('x');; z = 1;; save();; open('a').read()",
            &[0, 2, 3],
        ),
        (
            "def save(name):\n    open(name, 'w').write('x');; save('a');; save('b');; open('a').read()",
            &[0, 1, 3],
        ),
        (
            "def load():\n    return open('a').read();; open('a', 'w').write('x');; open('b', 'w').write('x');; load()",
            &[0, 1, 3],
        ),
        (
            "f = open('a', 'w');; f.write('x');; f.close();; z = 1;; open('a').read()",
            &[0, 1, 2, 4],
        ),
        (
            "def save():\n    open('a', 'w').write('x');; z = 1;; print(z)",
            &[1, 2],
        ),
    ]);
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn every_way_of_writing_counts() {
    for (write, read) in [
        (
            "with open('a.x', 'w') as f:\n    f.write('1')",
            "open('a.x').read()",
        ),
        (
            "with open('a.x', mode) as f:\n    f.write('1')",
            "open('a.x').read()",
        ),
        (
            "import zipfile\nwith zipfile.ZipFile('a.x', 'w') as z:\n    z.writestr('n', '1')",
            "open('a.x').read()",
        ),
        (
            "import tarfile\ntarfile.open('a.x', 'w:gz').close()",
            "open('a.x').read()",
        ),
        (
            "import gzip\ngzip.open('a.x', 'wb').write(b'1')",
            "open('a.x').read()",
        ),
        (
            "from pathlib import Path\nPath('a.x').write_bytes(b'1')",
            "open('a.x').read()",
        ),
        (
            "from pathlib import Path\n(Path('d') / 'a.x').write_text('1')",
            "open('d/a.x').read()",
        ),
        (
            "from pathlib import Path\nPath('a.x').open('w').write('1')",
            "open('a.x').read()",
        ),
        (
            "from pathlib import Path\nPath('b.x').rename('a.x')",
            "open('a.x').read()",
        ),
        (
            "from pathlib import Path\nPath('b.x').replace('a.x')",
            "open('a.x').read()",
        ),
        (
            "from pathlib import Path\np = Path('d')",
            "open(p / 'a.x').read()",
        ),
        (
            "df = q()\ndf.to_csv('a.x')",
            "import pandas as pd\npd.read_csv('a.x')",
        ),
        (
            "import numpy as np\nnp.save('a.x', [1])",
            "import numpy as np\nnp.load('a.x')",
        ),
        (
            "import torch\ntorch.save(m, 'a.x')",
            "import torch\ntorch.load('a.x')",
        ),
        (
            "import joblib\njoblib.dump(m, 'a.x')",
            "import joblib\njoblib.load('a.x')",
        ),
        (
            "import pickle\npickle.dump(m, open('a.x', 'wb'))",
            "import pickle\npickle.load(open('a.x', 'rb'))",
        ),
        (
            "import shutil\nshutil.copy('b.x', 'a.x')",
            "open('a.x').read()",
        ),
        ("import os\nos.rename('b.x', 'a.x')", "open('a.x').read()"),
        ("import os\nos.makedirs('d')", "open('d/a.x', 'w')"),
        (
            "n = 'a'\nopen(f'{n}.x', 'w').write('1')",
            "open('a.x').read()",
        ),
        ("open(f'{k}.x', 'w').write('1')", "open('a.x').read()"),
        (
            "open('a.x', 'w').write('1')",
            "n = q()\nopen(f'{n}.x').read()",
        ),
        ("open('a.x', 'w').write('1')", "n = q()\nlib(n + '.x')"),
        (
            "open('a.x', 'w').write('1')",
            "import os\nopen(os.path.join('d', 'a.x')).read()",
        ),
        (
            "open('a.x', 'w').write('1')",
            "import glob\nglob.glob('*.x')",
        ),
        (
            "open('a.x', 'w').write('1')",
            "from pathlib import Path\nlist(Path('.').glob('*'))",
        ),
        (
            "open('d/a.x', 'w').write('1')",
            "import os\nos.listdir('d')",
        ),
        ("open('d/a.x', 'w').write('1')", "import os\nos.listdir()"),
        (
            "open('a.x', 'w').write('1')",
            "import subprocess\nsubprocess.run(['cat', name])",
        ),
        ("open('a.x', 'w').write('1')", "text = !cat *"),
        ("%%writefile u.py\nx = 1", "import u\nu.x"),
        ("%%writefile u.py\nx = 1", "from u import x"),
    ] {
        assert_eq!(
            needed(&[write, "z = 1", read], &[2]),
            [0, 2],
            "{write}: {read}"
        );
    }
    for (write, read) in [
        ("open('a.x', 'w').write('1')", "open('b.x').read()"),
        ("open('a.x', 'w').write('1')", "print(f'{k} done')"),
        (
            "import pandas as pd\ndf = pd.read_csv('q')\ndf2 = df.rename(columns={}).replace('a', 'b')",
            "print('a')",
        ),
        ("s = 'a'\ns.replace('a', 'b')", "print('a')"),
    ] {
        assert_eq!(needed(&[write, read], &[1]), [1], "{write}: {read}");
    }
}

#[test]
fn what_all_cells_share_is_taken() {
    for effect in [
        "import os\nstatus = os.system('true')",
        "import subprocess\nresult = subprocess.run(['true'])",
        "files = !ls",
        "%%bash\necho",
        "%run other.ipynb",
        "%load_ext autotime",
        "import os\nos.chdir('d')",
        "import os\nos.environ['A'] = '1'",
        "import os\nos.environ.update(A='1')",
        "import sys\nsys.path.append('lib')",
        "import sys\nsys.path[:0] = ['lib']",
        "import warnings\nwarnings.filterwarnings('ignore')",
        "import logging\nlogging.basicConfig()",
        "import random\nrandom.seed(1)",
        "import numpy as np\nnp.random.seed(1)",
        "import torch\ntorch.manual_seed(1)",
        "import torch\ntorch.backends.cudnn.benchmark = True",
        "import matplotlib.pyplot as plt\nplt.style.use('x')",
        "import matplotlib.pyplot as plt\nplt.rcParams['a'] = 1",
        "import pandas as pd\npd.set_option('a', 1)",
        "import pandas as pd\npd.options.display.max_rows = 1",
        "import math\nmath.pi = 3",
        "import lib\nlib.setup()",
        "def go():\n    import lib\n    lib.setup()\ngo()",
        "exec('print = 1')",
        "globals()['x'] = 1",
        "from lib import *",
    ] {
        assert_eq!(needed(&[effect, "print(1)"], &[1]), [0, 1], "{effect}");
    }
    check(&[
        (
            "import lib;; h = lib.connect();; h.put(1);; z = 1;; lib.connect().get()",
            &[0, 1, 2, 4],
        ),
        (
            "import lib;; import other;; a = lib.make();; other.run()",
            &[1, 3],
        ),
        (
            "import random;; random.seed(1);; a = random.random();; z = 1;; random.random()",
            &[0, 1, 2, 4],
        ),
        (
            "import random\nr = random.Random(1);; r.random();; z = 1;; r.random()",
            &[0, 1, 3],
        ),
        (
            "import matplotlib.pyplot as plt;; plt.plot([1])\nplt.show();; plt.plot([2])",
            &[0, 2],
        ),
    ]);
}
