#include "telemetry/otlp_exporter.hpp"
#include "tests/support/fakes.hpp"
#include "tests/telemetry/collector.hpp"

#include <chrono>
#include <functional>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::telemetry {
namespace {

using std::chrono::milliseconds;
using Names = std::vector<std::string>;

std::string rendered(const std::string& name) {
    FinishedSpan span;
    span.context = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true};
    span.name = name;
    std::string text;
    append_span(text, span);
    return text;
}

bool eventually(const std::function<bool()>& holds) {
    for (int tries = 0; tries < 10'000; ++tries) {
        if (holds())
            return true;
        std::this_thread::sleep_for(milliseconds{1});
    }
    return false;
}

struct Fixture {
    Fixture() {
        settings.url = collector.url();
        settings.schedule_delay = milliseconds{1};
        settings.resource = make_resource("svc");
    }
    std::unique_ptr<OtlpExporter> start() {
        return OtlpExporter::start(settings, clock, random, &metrics, times);
    }
    bool shows(const std::string& line) const {
        return metrics.render().find(line + "\n") != std::string::npos;
    }
    bool lost(const std::string& reason, int count) const {
        return shows(
            "interlock_spans_dropped_total{reason=\"" + reason + "\"} " + std::to_string(count)
        );
    }

    test::Collector collector;
    base::SystemClock clock;
    base::SystemRandom random;
    Metrics metrics;
    OtlpSettings settings;
    ExporterTimes times{
        .retry_first = milliseconds{2},
        .retry_longest = milliseconds{20},
        .hold_longest = milliseconds{60'000},
        .flush_max = milliseconds{2'000}};
};

TEST_CASE("a collector gets the spans, the headers and what sent them", "[telemetry]") {
    Fixture f;
    f.settings.headers = {{"Authorization", "Bearer s3cret"}, {"X-Tenant", "a b"}};
    const auto exporter = f.start();
    exporter->offer(rendered("one"), 1);
    REQUIRE(f.collector.has(1));
    const auto request = f.collector.requests().front();
    CHECK(request.method == "POST");
    CHECK(request.path == "/v1/traces");
    CHECK(request.header("content-type") == "application/json");
    CHECK(request.header("authorization") == "Bearer s3cret");
    CHECK(request.header("x-tenant") == "a b");
    CHECK_FALSE(request.header("content-encoding"));
    CHECK(test::Collector::names(request) == Names{"one"});
    CHECK(eventually([&] { return f.shows("interlock_spans_exported_total 1"); }));
    CHECK(exporter->dropped() == 0);
}

TEST_CASE("a body is packed when asked for", "[telemetry]") {
    Fixture f;
    f.settings.gzip = true;
    const auto exporter = f.start();
    exporter->offer(rendered("packed"), 1);
    REQUIRE(f.collector.has(1));
    const auto request = f.collector.requests().front();
    CHECK(request.header("content-encoding") == "gzip");
    CHECK(request.body.substr(0, 2) == "\x1f\x8b");
    CHECK(test::Collector::names(request) == Names{"packed"});
}

TEST_CASE("spans are sent in batches, a full one at once", "[telemetry]") {
    Fixture f;
    f.settings.schedule_delay = std::chrono::hours{1};
    f.settings.batch_max = 3;
    const auto exporter = f.start();
    for (const char* name : {"a", "b", "c", "d"})
        exporter->offer(rendered(name), 1);
    REQUIRE(f.collector.has(1));
    CHECK(test::Collector::names(f.collector.requests().front()).size() == 3);
}

TEST_CASE("a queue in which a batch no longer fits is sent at once", "[telemetry]") {
    Fixture f;
    f.settings.schedule_delay = std::chrono::hours{1};
    f.settings.queue_max = 10;
    f.settings.batch_max = 10;
    const auto exporter = f.start();
    exporter->offer(rendered("kept"), 7);
    exporter->offer(rendered("lost"), 7);
    CHECK(f.collector.has(1));
    CHECK(eventually([&] { return f.lost("export_queue_full", 7); }));
}

TEST_CASE("what a busy collector asks for is done: again, and later each time", "[telemetry]") {
    for (const unsigned status : {429U, 502U, 503U, 504U}) {
        Fixture f;
        f.collector.answer({status, {}, ""});
        f.collector.answer({status, {}, "busy"});
        const auto exporter = f.start();
        exporter->offer(rendered("persistent"), 1);
        REQUIRE(f.collector.has(3));
        for (const auto& request : f.collector.requests())
            CHECK(test::Collector::names(request) == Names{"persistent"});
        CHECK(eventually([&] { return f.shows("interlock_spans_exported_total 1"); }));
        CHECK(exporter->dropped() == 0);
    }
}

TEST_CASE("Retry-After is waited for", "[telemetry]") {
    Fixture f;
    f.collector.answer({429, {{"Retry-After", "1"}}, ""});
    const auto exporter = f.start();
    const auto began = f.clock.ticks();
    exporter->offer(rendered("patient"), 1);
    REQUIRE(f.collector.has(2));
    CHECK(f.clock.ticks() - began >= milliseconds{990});
}

TEST_CASE("a Retry-After beyond the batch's time drops it and is still kept", "[telemetry]") {
    Fixture f;
    f.settings.export_max = milliseconds{50};
    f.collector.answer({503, {{"Retry-After", "600"}}, ""});
    {
        const auto exporter = f.start();
        exporter->offer(rendered("late"), 1);
        REQUIRE(eventually([&] { return f.lost("export_failed", 1); }));
        exporter->offer(rendered("next"), 1);
        std::this_thread::sleep_for(milliseconds{50}); // there is nothing to see: that is the point
        CHECK(f.collector.requests().size() == 1);
    } // and a stop does not wait for it either
    CHECK(f.collector.requests().size() == 2);
}

TEST_CASE("what a collector refuses is dropped, counted and not sent again", "[telemetry]") {
    for (const unsigned status : {400U, 401U, 404U, 413U, 500U, 301U}) {
        Fixture f;
        f.collector.answer({status, {}, "no"});
        const auto exporter = f.start();
        exporter->offer(rendered("refused"), 1);
        REQUIRE(eventually([&] { return f.lost("export_refused", 1); }));
        exporter->offer(rendered("fine"), 1);
        REQUIRE(f.collector.has(2));
        CHECK(test::Collector::names(f.collector.requests().back()) == Names{"fine"});
        CHECK(exporter->dropped() == 1);
    }
}

TEST_CASE("spans that a collector rejects are counted", "[telemetry]") {
    for (const char* told : {R"("2")", "2"}) {
        Fixture f;
        f.collector.answer(
            {200,
             {},
             R"({"partialSuccess":{"rejectedSpans":)" + std::string(told) +
                 R"(,"errorMessage":"too old"}})"}
        );
        const auto exporter = f.start();
        exporter->offer(rendered("a") + "," + rendered("b") + "," + rendered("c"), 3);
        CHECK(eventually([&] { return f.lost("export_rejected", 2); }));
        CHECK(eventually([&] { return f.shows("interlock_spans_exported_total 1"); }));
    }
}

TEST_CASE("an answer that makes no sense does no harm", "[telemetry]") {
    for (const char* body :
         {"",
          "no json",
          "[]",
          R"({"partialSuccess":null})",
          R"({"partialSuccess":{}})",
          R"({"partialSuccess":{"rejectedSpans":-5}})",
          R"({"partialSuccess":{"rejectedSpans":"many"}})"}) {
        Fixture f;
        f.collector.answer({200, {}, body});
        const auto exporter = f.start();
        exporter->offer(rendered("a"), 1);
        CHECK(eventually([&] { return f.shows("interlock_spans_exported_total 1"); }));
        CHECK(exporter->dropped() == 0);
    }
    Fixture f; // more rejected than were sent
    f.collector.answer({200, {}, R"({"partialSuccess":{"rejectedSpans":99}})"});
    const auto exporter = f.start();
    exporter->offer(rendered("a"), 1);
    CHECK(eventually([&] { return f.lost("export_rejected", 1); }));
}

TEST_CASE("a dead collector costs no caller a wait, and every span is counted", "[telemetry]") {
    Fixture f;
    f.settings.url = "http://127.0.0.1:1/v1/traces"; // nothing listens there
    f.settings.export_max = milliseconds{30};
    f.settings.queue_max = 4;
    f.settings.batch_max = 2;
    const auto began = f.clock.ticks();
    {
        const auto exporter = f.start();
        for (int i = 0; i < 1'000; ++i)
            exporter->offer(rendered("lost"), 1);
        CHECK(f.clock.ticks() - began < std::chrono::seconds{1});
        CHECK(eventually([&] { return f.lost("export_failed", 2) || f.lost("export_failed", 4); }));
        CHECK(exporter->dropped() >= 994);
    }
    CHECK(f.shows("interlock_spans_exported_total 0"));
}

TEST_CASE("a queue is bounded by bytes too", "[telemetry]") {
    Fixture f;
    f.settings.schedule_delay = std::chrono::hours{1};
    f.times.flush_max = milliseconds{0};
    const auto exporter = f.start();
    const std::string huge(base::limits::otlp_queue_bytes_max / 2, 'x');
    exporter->offer(huge, 1);
    exporter->offer(huge, 1);
    exporter->offer(huge, 1);
    CHECK(f.lost("export_queue_full", 1));
}

TEST_CASE("a stop sends what is left", "[telemetry]") {
    Fixture f;
    f.settings.schedule_delay = std::chrono::hours{1};
    f.settings.batch_max = 2;
    f.settings.queue_max = 2'048;
    auto exporter = f.start();
    for (int i = 0; i < 9; ++i)
        exporter->offer(rendered("last"), 1);
    exporter.reset();
    std::size_t sent = 0;
    for (const auto& request : f.collector.requests())
        sent += test::Collector::names(request).size();
    CHECK(sent == 9);
}

TEST_CASE("a stop does not wait for a collector that hangs", "[telemetry]") {
    Fixture f;
    f.collector.hang();
    f.times.flush_max = milliseconds{100};
    f.settings.batch_max = 1;
    auto exporter = f.start();
    exporter->offer(rendered("a"), 1);
    exporter->offer(rendered("b"), 1);
    exporter->offer(rendered("c"), 1);
    REQUIRE(f.collector.has(1));
    const auto began = f.clock.ticks();
    exporter.reset();
    CHECK(f.clock.ticks() - began < std::chrono::seconds{4}); // of ten that a try may take
    CHECK(f.lost("shutdown", 3));
}

TEST_CASE("a stop does not try a dead collector again and again", "[telemetry]") {
    Fixture f;
    f.settings.url = "http://127.0.0.1:1/v1/traces";
    f.settings.schedule_delay = std::chrono::hours{1};
    f.settings.queue_max = 100;
    f.settings.batch_max = 100;
    f.times.retry_first = std::chrono::hours{1};
    auto exporter = f.start();
    for (int i = 0; i < 10; ++i)
        exporter->offer(rendered("a"), 1);
    exporter.reset();
    CHECK(f.lost("shutdown", 10));
}

TEST_CASE("a slow collector delays nobody but itself", "[telemetry]") {
    Fixture f;
    f.collector.hang();
    f.settings.timeout = milliseconds{50};
    f.settings.export_max = milliseconds{60};
    const auto exporter = f.start();
    exporter->offer(rendered("slow"), 1);
    CHECK(eventually([&] { return exporter->dropped() == 1; }));
    CHECK(f.lost("export_failed", 1));
}

TEST_CASE("Retry-After is seconds or a date", "[telemetry]") {
    const base::Time now = *base::parse_time("2026-11-21T03:00:00Z");
    CHECK(read_retry_after("0", now) == milliseconds{0});
    CHECK(read_retry_after(" 120 ", now) == milliseconds{120'000});
    CHECK(read_retry_after("Sat, 21 Nov 2026 03:00:30 GMT", now) == milliseconds{30'000});
    CHECK(read_retry_after("Sat, 21 Nov 2026 02:00:00 GMT", now) == milliseconds{0});
    CHECK(read_retry_after("99999999999999999", now) < std::chrono::hours{24 * 366});
    for (const char* bad :
         {"", "-1", "1.5", "soon", "120s", "Sat, 21 Nov 2026 03:00:30 GMT+1", "21 Nov 2026"}) {
        CAPTURE(bad);
        CHECK_FALSE(read_retry_after(bad, now));
    }
}

} // namespace
} // namespace interlock::telemetry
