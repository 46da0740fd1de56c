// What a command prints on stdout, and how it ends.
#pragma once

#include "base/file.hpp"
#include "cli/output.hpp"
#include "tests/support/fakes.hpp"

#include <cstdio>
#include <string>
#include <unistd.h>
#include <utility>

#include <catch2/catch.hpp>

namespace interlock::test {

template <class Body>
std::pair<cli::Exit, std::string> printed(const Body& body) {
    std::fflush(stdout);
    const TemporaryDirectory directory;
    const auto path = directory.file("out");
    const int saved = ::dup(STDOUT_FILENO);
    std::FILE* const file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    ::dup2(::fileno(file), STDOUT_FILENO);
    const cli::Exit exit = body();
    std::fflush(stdout);
    ::dup2(saved, STDOUT_FILENO);
    ::close(saved);
    std::fclose(file);
    const auto text = base::read_file(path, std::size_t{64} << 20);
    REQUIRE(text.ok());
    return {exit, *text};
}

} // namespace interlock::test
