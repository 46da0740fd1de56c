// Catch2's own main, compiled once. The tests ignore SIGPIPE, as every program of ours does: a
// write that nobody reads any more is an error to look at, not the end of the process. They log
// warnings only: a line for each call buries what failed.
#define CATCH_CONFIG_RUNNER
#include "base/log.hpp"

#include <csignal>

#include <catch2/catch.hpp>

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);
    interlock::base::log_setup("tests", interlock::base::LogLevel::warning, nullptr);
    return Catch::Session().run(argc, argv);
}
