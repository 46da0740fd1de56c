#include "base/json.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span_file.hpp"
#include "tests/support/fakes.hpp"
#include "tests/telemetry/collector.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

FinishedSpan span_named(const std::string& name) {
    FinishedSpan span;
    span.context = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
    span.name = name;
    return span;
}

/// The names of all spans in a file; every line must be a whole request.
std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> names;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto request = base::parse_json(line, std::size_t{64} << 20);
        REQUIRE(request);
        for (const auto& span : (*request)["resourceSpans"][0]["scopeSpans"][0]["spans"])
            names.push_back(span["name"]);
    }
    return names;
}

TEST_CASE("spans are on disk once the sink is gone, in order and private", "[telemetry]") {
    const test::TemporaryDirectory directory;
    const auto spans_directory = directory.file("spans");
    auto sink = make_file_span_sink(spans_directory, "svc");
    std::vector<std::string> expected;
    for (int i = 0; i < 500; ++i) {
        expected.push_back("span " + std::to_string(i));
        sink->write(span_named(expected.back()));
    }
    CHECK(sink->dropped() == 0);
    sink.reset();
    const auto path = spans_directory + "/svc.jsonl";
    CHECK(names_in(path) == expected);
    struct stat facts {};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("a second run appends", "[telemetry]") {
    const test::TemporaryDirectory directory;
    for (const auto* name : {"first", "second"})
        make_file_span_sink(directory.path(), "svc")->write(span_named(name));
    CHECK(names_in(directory.file("svc.jsonl")) == std::vector<std::string>{"first", "second"});
}

TEST_CASE("two sinks on one file lose no span across rotations", "[telemetry]") {
    const test::TemporaryDirectory directory;
    const auto start = [&] {
        return make_file_span_sink(
            directory.path(), "svc", {.file_bytes_max = 20'000, .files_kept = 100}
        );
    };
    constexpr int each = 1'000;
    {
        const auto first = start();
        const auto second = start();
        for (int i = 0; i < each; ++i) {
            first->write(span_named("a"));
            second->write(span_named("b"));
        }
    }
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
        if (entry.path().extension() == ".jsonl")
            found += names_in(entry.path()).size();
    }
    CHECK(found == 2 * each);
    CHECK(std::filesystem::exists(directory.file("svc.1.jsonl")));
}

TEST_CASE("a file removed under the sink is made again", "[telemetry]") {
    const test::TemporaryDirectory directory;
    const auto path = directory.file("svc.jsonl");
    const auto sink = make_file_span_sink(directory.path(), "svc");
    const auto written = [&](const char* name) {
        sink->write(span_named(name));
        for (int tries = 0; tries < 5'000; ++tries) {
            if (std::filesystem::exists(path) && std::filesystem::file_size(path) > 0)
                return true;
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        return false;
    };
    REQUIRE(written("one"));
    std::filesystem::remove(path);
    REQUIRE(written("two"));
    CHECK(names_in(path) == std::vector<std::string>{"two"});
}

TEST_CASE("spans that cannot be written are counted, and nobody waits", "[telemetry]") {
    const test::TemporaryDirectory directory;
    std::ofstream(directory.file("taken")) << "a file where a directory should be";
    Metrics metrics;
    auto sink = make_file_span_sink(directory.file("taken"), "svc", {.metrics = &metrics});
    sink->write(span_named("lost"));
    for (int tries = 0; tries < 5'000 && sink->dropped() == 0; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    CHECK(sink->dropped() == 1);
    CHECK(
        metrics.render().find(R"(interlock_spans_dropped_total{reason="not_written"} 1)") !=
        std::string::npos
    );
}

TEST_CASE("a full disk drops spans and says how many", "[telemetry]") {
    if (!std::filesystem::exists("/dev/full"))
        return;
    const test::TemporaryDirectory directory;
    std::filesystem::create_symlink("/dev/full", directory.file("svc.jsonl"));
    auto sink = make_file_span_sink(directory.path(), "svc");
    sink->write(span_named("lost"));
    for (int tries = 0; tries < 5'000 && sink->dropped() == 0; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    CHECK(sink->dropped() == 1);
}

TEST_CASE("a program keeps spans in its file and sends them to its collector", "[telemetry]") {
    const test::TemporaryDirectory directory;
    test::Collector collector;
    base::SystemClock clock;
    base::SystemRandom random;
    Metrics metrics;
    OtlpSettings settings;
    settings.url = collector.url();
    settings.schedule_delay = std::chrono::milliseconds{1};
    settings.batch_max = 2;
    settings.resource = make_resource("renamed");
    auto sink = make_span_sink(directory.path(), "svc", settings, clock, random, &metrics);
    CHECK(sink->keeps());
    for (const char* name : {"a", "b", "c", "d", "e"})
        sink->write(span_named(name));
    sink.reset();
    CHECK(names_in(directory.file("svc.jsonl")).size() == 5);
    std::vector<std::string> sent;
    for (const auto& request : collector.requests()) {
        const auto names = test::Collector::names(request);
        CHECK(names.size() <= 2);
        sent.insert(sent.end(), names.begin(), names.end());
        CHECK(request.body.find("renamed") != std::string::npos);
    }
    CHECK(sent == std::vector<std::string>{"a", "b", "c", "d", "e"});
    CHECK(metrics.render().find(R"(dropped_total{reason="export_failed"} 0)") != std::string::npos);
}

TEST_CASE("a program whose operator wants no spans keeps none", "[telemetry]") {
    const test::TemporaryDirectory directory;
    base::SystemClock clock;
    base::SystemRandom random;
    OtlpSettings settings;
    settings.disabled = true;
    settings.warnings = {"a setting was ignored"};
    auto sink = make_span_sink(directory.path(), "svc", settings, clock, random, nullptr);
    CHECK_FALSE(sink->keeps());
    sink->write(span_named("unseen"));
    sink.reset();
    CHECK_FALSE(std::filesystem::exists(directory.file("svc.jsonl")));
}

} // namespace
} // namespace interlock::telemetry
