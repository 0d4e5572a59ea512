"""One build and one installation, shared by the tests of the consumer matrix."""

import pytest
from consumer_support import ROOT, configure, run


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """A release build without tests. Its prefix is replaced by each installation."""
    folder = tmp_path_factory.mktemp("build")
    configure(folder, ROOT, "-DMI_BUILD_TESTS=OFF")
    run("cmake", "--build", folder)
    return folder


@pytest.fixture(scope="session")
def prefix(build, tmp_path_factory):
    """The default installation of that build."""
    folder = tmp_path_factory.mktemp("installed") / "usr"
    run("cmake", "--install", build, "--prefix", folder)
    return folder
