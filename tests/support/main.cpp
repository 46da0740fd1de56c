// Catch2's own main, compiled once. The tests ignore SIGPIPE, as every program of ours does: a
// write that nobody reads any more is an error to look at, not the end of the process.
#define CATCH_CONFIG_RUNNER
#include <csignal>

#include <catch2/catch.hpp>

int main(int argc, char** argv) {
    (void)std::signal(SIGPIPE, SIG_IGN);
    return Catch::Session().run(argc, argv);
}
