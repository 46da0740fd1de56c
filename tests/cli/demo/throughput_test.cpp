#include "cli/demo/throughput.hpp"
#include "tests/support/fakes.hpp"

#include <fstream>

#include <catch2/catch.hpp>

namespace interlock::cli {

TEST_CASE("a progress line of pgbench gives its rate", "[cli]") {
    CHECK(parse_progress("progress: 3.0 s, 512.3 tps, lat 1.9 ms stddev 0.4, 0 failed") == 512.3);
    CHECK(parse_progress("progress: 12.0 s, 0.0 tps, lat 0.000 ms stddev 0.000, 0 failed") == 0.0);
}

TEST_CASE("what is not a progress line gives nothing", "[cli]") {
    for (const char* line : {
             "",
             "pgbench (15.18)",
             "progress: ",
             "progress: 3.0 s",
             "progress: 3.0 s, x tps, lat",
             "progress: 3.0 s, -1 tps, lat",
             "progress: 3.0 s, inf tps,",
             "progress: 3.0 s, 5 tp",
         }) {
        INFO(line);
        CHECK_FALSE(parse_progress(line));
    }
}

TEST_CASE("a half-written line is read once it is whole", "[cli]") {
    test::TemporaryDirectory directory;
    const std::string path = directory.file("progress");
    Throughput throughput(path);
    CHECK(throughput.samples().empty()); // no file yet

    std::ofstream file(path);
    file << "progress: 1.0 s, 100.0 tps, lat\nprogress: 2.0 s, 20" << std::flush;
    CHECK(throughput.samples() == std::vector<double>{100.0});
    file << "0.5 tps, lat\n" << std::flush;
    CHECK(throughput.samples() == std::vector<double>{100.0, 200.5});
}

TEST_CASE("a mean of nothing is not zero", "[cli]") {
    CHECK_FALSE(mean({}, 0, 4));
    CHECK_FALSE(mean({1, 2}, 2, 4));
    CHECK(mean({1, 2, 6}, 1, 9) == 4.0);
}

TEST_CASE("the chart has one character a sample and keeps the latest", "[cli]") {
    CHECK(sparkline({}, 10).empty());
    CHECK(sparkline({0, 0}, 10) == "\u2581\u2581");
    CHECK(sparkline({9, 1, 8, 0}, 3) == "\u2581\u2588\u2581");
}

} // namespace interlock::cli
