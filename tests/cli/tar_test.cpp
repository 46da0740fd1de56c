#include "base/file.hpp"
#include "base/process.hpp"
#include "cli/tar.hpp"
#include "tests/support/fakes.hpp"

#include <catch2/catch.hpp>

namespace interlock::cli {

namespace {

const Files some{
    {"manifest.json", "{}"},
    {"records/000000000001/header.json", std::string(512, 'h')},
    {"records/000000000001/payload.json", ""},
    {"records/000000000002/header.json", std::string("\0binary\xff\n", 9)},
};

std::string tar_of(const Files& files) {
    const auto tar = write_tar(files);
    REQUIRE(tar.ok());
    return *tar;
}

base::Output stock_tar(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "tar");
    base::Command command;
    command.arguments = std::move(arguments);
    const auto output = base::run(command);
    REQUIRE(output.ok());
    return *output;
}

} // namespace

TEST_CASE("files come out of a bundle as they went in, in the same bytes each time", "[cli]") {
    const auto tar = tar_of(some);
    CHECK(tar.size() % 512 == 0);
    CHECK(tar == tar_of(some));
    const auto files = read_tar(tar);
    REQUIRE(files.ok());
    CHECK(*files == some);
    CHECK(read_tar(tar_of({})).value().empty());
}

TEST_CASE("a stock tar reads what we write, and we read what it writes", "[cli]") {
    const test::TemporaryDirectory directory;
    const auto path = directory.file("bundle.tar");
    REQUIRE(base::write_file_atomically(path, tar_of(some)).ok());
    const auto listed = stock_tar({"-tf", path});
    CHECK(listed.exit_code == 0);
    CHECK(listed.err.empty());
    std::string names;
    for (const auto& [name, content] : some) {
        names += name + "\n";
        CHECK(stock_tar({"-xOf", path, name}).out == content);
    }
    CHECK(listed.out == names);

    REQUIRE(base::write_file_atomically(directory.file("a.txt"), "hello").ok());
    const auto made = directory.file("made.tar");
    CHECK(
        stock_tar({"-C", directory.path(), "--format=ustar", "-cf", made, "a.txt"}).exit_code == 0
    );
    const auto read = read_tar(base::read_file(made, 1 << 20).value());
    REQUIRE(read.ok());
    CHECK(*read == Files{{"a.txt", "hello"}});
}

TEST_CASE("a bundle that was cut or edited is refused", "[cli]") {
    const auto tar = tar_of(some);
    for (std::size_t size = 0; size + 1024 < tar.size(); size += 100)
        CHECK_FALSE(read_tar(std::string_view(tar).substr(0, size)).ok());
    for (const std::size_t at : {0U, 110U, 125U, 150U, 156U, 257U, 345U, 400U}) {
        auto edited = tar;
        edited[at] ^= 0x01;
        INFO(at);
        CHECK_FALSE(read_tar(edited).ok());
    }
    CHECK_FALSE(read_tar("").ok());
    CHECK_FALSE(read_tar(std::string(5'000, 'x')).ok());
    const auto one = tar_of({{"a", "1"}});
    CHECK_FALSE(read_tar(one.substr(0, 1024) + one).ok()); // the same path twice
}

TEST_CASE("nothing stands behind the end of a bundle, nor between its files", "[cli]") {
    const auto tar = tar_of(some);
    CHECK(read_tar(tar + std::string(8'192, '\0')).ok()); // as a stock tar fills up its last record
    CHECK_FALSE(read_tar(tar + "garbage").ok());
    CHECK_FALSE(read_tar(tar + std::string(511, '\0') + "x").ok());
    CHECK_FALSE(read_tar(tar + tar).ok());
    CHECK_FALSE(read_tar(tar.substr(0, tar.size() - 512)).ok());
    auto padded = tar_of({{"a", "1"}});
    padded[512 + 100] = 'x';
    CHECK_FALSE(read_tar(padded).ok());
}

TEST_CASE("a path that leads elsewhere is neither written nor read", "[cli]") {
    const std::string harmless = "a/bb/c";
    auto tar = tar_of({{harmless, "x"}});
    for (const std::string path :
         {"/a/bb/", "../bb/", "a/../c", "a/bb/.", "a//bbc", "a/b\x1b/c", "a/bb/", "", "."}) {
        INFO(path);
        CHECK_FALSE(write_tar({{path, "x"}}).ok());
        auto hostile = tar;
        unsigned sum = 0;
        for (std::size_t i = 0; i < 6; ++i)
            hostile[i] = i < path.size() ? path[i] : '\0';
        for (std::size_t i = 0; i < 512; ++i)
            sum += i >= 148 && i < 156 ? 32U : static_cast<unsigned char>(hostile[i]);
        char digits[8];
        std::snprintf(digits, sizeof digits, "%06o", sum);
        std::copy(digits, digits + 6, hostile.begin() + 148);
        CHECK_FALSE(read_tar(hostile).ok());
    }
    CHECK_FALSE(write_tar({{std::string(101, 'a'), "x"}}).ok());
}

TEST_CASE("links and directories are refused", "[cli]") {
    const test::TemporaryDirectory directory;
    base::Command link;
    link.arguments = {"ln", "-s", "/etc/passwd", directory.file("link")};
    REQUIRE(base::run(link).value().exit_code == 0);
    const auto made = directory.file("made.tar");
    CHECK(
        stock_tar({"-C", directory.path(), "--format=ustar", "-cf", made, "link"}).exit_code == 0
    );
    CHECK_FALSE(read_tar(base::read_file(made, 1 << 20).value()).ok());
    CHECK(stock_tar({"-C", directory.path(), "--format=ustar", "-cf", made, "."}).exit_code <= 1);
    CHECK_FALSE(read_tar(base::read_file(made, 1 << 20).value()).ok());
}

} // namespace interlock::cli
