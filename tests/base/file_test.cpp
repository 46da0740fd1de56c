#include "base/file.hpp"
#include "tests/support/fakes.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

unsigned mode_of(const std::string& path) {
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 0777U;
}

std::size_t entries_of(const std::string& path) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        (void)entry;
        ++count;
    }
    return count;
}

/// Sets an environment variable for one scope.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* old = std::getenv(name)) {
            old_ = old;
        }
        value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }

private:
    const char* name_;
    std::optional<std::string> old_;
};

} // namespace

TEST_CASE("a file is written whole and read back, with the permissions asked for", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("note");
    const std::string content = std::string("a\0b\n", 4) + std::string(200'000, 'x');
    REQUIRE(write_file_atomically(path, content).ok());
    CHECK(*read_file(path, 1'000'000) == content);
    CHECK(mode_of(path) == 0600);
    REQUIRE(write_file_atomically(path, "new", 0644).ok());
    CHECK(*read_file(path, 3) == "new");
    CHECK(mode_of(path) == 0644);
    CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("a reader of the old file keeps the old content", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("note");
    REQUIRE(write_file_atomically(path, "old").ok());
    std::filesystem::create_hard_link(path, directory.file("old"));
    REQUIRE(write_file_atomically(path, "new").ok());
    CHECK(*read_file(directory.file("old"), 10) == "old");
}

TEST_CASE("a write replaces a symbolic link instead of following it", "[base]") {
    const test::TemporaryDirectory directory;
    REQUIRE(write_file_atomically(directory.file("precious"), "keep").ok());
    std::filesystem::create_symlink(directory.file("precious"), directory.file("link"));
    REQUIRE(write_file_atomically(directory.file("link"), "new").ok());
    CHECK(*read_file(directory.file("precious"), 10) == "keep");
    CHECK(*read_file(directory.file("link"), 10) == "new");
}

TEST_CASE("a file past the limit, absent or no file is an error of its own", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("note");
    REQUIRE(write_file_atomically(path, "12345").ok());
    CHECK(read_file(path, 5).ok());
    CHECK(read_file(path, 4).error().code == Errc::limit_exceeded);
    CHECK(read_file(directory.file("absent"), 5).error().code == Errc::not_found);
    CHECK(read_file(directory.path(), 5).error().code == Errc::io);
    CHECK(write_file_atomically(directory.file("absent/x"), "").error().code == Errc::not_found);
}

TEST_CASE("a write that fails leaves the old file and nothing beside it", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("occupied");
    std::filesystem::create_directories(path + "/child");
    CHECK_FALSE(write_file_atomically(path, "x").ok());
    CHECK(entries_of(directory.path()) == 1);
}

TEST_CASE("a private directory is made with its parents", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("a/b/c");
    REQUIRE(make_private_directory(path).ok());
    CHECK(mode_of(path) == 0700);
    CHECK(mode_of(directory.file("a")) == 0700);
    CHECK(make_private_directory(path).ok());
    CHECK(make_private_directory(path + "/").ok());
}

TEST_CASE("a directory that others may write is not called private", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("open");
    REQUIRE(make_private_directory(path).ok());
    REQUIRE(::chmod(path.c_str(), 0777) == 0);
    const auto status = make_private_directory(path);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == Errc::permission_denied);
    CHECK(status.error().remedy.find("chmod") != std::string::npos);
}

TEST_CASE("a file where a directory should be is refused", "[base]") {
    const test::TemporaryDirectory directory;
    REQUIRE(write_file_atomically(directory.file("file"), "x").ok());
    CHECK_FALSE(make_private_directory(directory.file("file")).ok());
    CHECK_FALSE(make_private_directory(directory.file("file/below")).ok());
    CHECK_FALSE(make_private_directory("").ok());
}

TEST_CASE("the state directory follows the environment", "[base]") {
    {
        const Variable own("INTERLOCK_STATE", "/somewhere");
        CHECK(default_state_directory() == "/somewhere");
    }
    const Variable own("INTERLOCK_STATE", nullptr);
    const Variable home("HOME", "/home/somebody");
    {
        const Variable xdg("XDG_STATE_HOME", "/state");
        CHECK(default_state_directory() == "/state/interlock");
    }
    const Variable relative("XDG_STATE_HOME", "not/absolute");
    CHECK(default_state_directory() == "/home/somebody/.local/state/interlock");
}

TEST_CASE("a temporary directory is private, new and removable", "[base]") {
    const auto first = make_temporary_directory("interlock-file-test");
    const auto second = make_temporary_directory("interlock-file-test");
    REQUIRE(first.ok());
    REQUIRE(second.ok());
    CHECK(*first != *second);
    CHECK(mode_of(*first) == 0700);
    REQUIRE(make_private_directory(*first + "/x/y").ok());
    CHECK(remove_recursively(*first).ok());
    CHECK(remove_recursively(*second).ok());
    CHECK_FALSE(std::filesystem::exists(*first));
    CHECK(remove_recursively(*first).ok());
}

TEST_CASE("removal does not follow links and never takes the root", "[base]") {
    const test::TemporaryDirectory directory;
    REQUIRE(make_private_directory(directory.file("kept")).ok());
    REQUIRE(make_private_directory(directory.file("gone")).ok());
    std::filesystem::create_directory_symlink(directory.file("kept"), directory.file("gone/link"));
    CHECK(remove_recursively(directory.file("gone")).ok());
    CHECK(std::filesystem::exists(directory.file("kept")));
    CHECK_FALSE(remove_recursively("/").ok());
    CHECK_FALSE(remove_recursively("//").ok());
    CHECK_FALSE(remove_recursively("").ok());
}

} // namespace interlock::base
