// Runs every fuzz body over its corpus: inputs that once failed, and one of each interesting kind.
#include "tests/fuzz/fuzz.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::test {

namespace {

std::map<std::string, FuzzBody>& targets() {
    static std::map<std::string, FuzzBody> all;
    return all;
}

} // namespace

FuzzTarget::FuzzTarget(const char* name, FuzzBody body) {
    targets()[name] = body;
}

TEST_CASE("every fuzz target holds on its whole corpus", "[fuzz]") {
    REQUIRE(targets().size() >= 6);
    for (const auto& [name, body] : targets()) {
        std::size_t inputs = 0;
        for (const auto& entry : std::filesystem::directory_iterator("tests/fuzz/corpus/" + name)) {
            INFO(entry.path().string());
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string input{std::istreambuf_iterator<char>(file), {}};
            body(input);
            ++inputs;
        }
        INFO(name);
        CHECK(inputs > 0);
        body("");
    }
}

} // namespace interlock::test
