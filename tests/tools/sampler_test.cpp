#include "tests/support/fakes.hpp"
#include "tests/tools/shop.hpp"
#include "tools/run.hpp"
#include "tools/sampler.hpp"

#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace db = interlock::db;
namespace lab = interlock::lab;
namespace limits = interlock::base::limits;
namespace telemetry = interlock::telemetry;
namespace test = interlock::test;
namespace tools = interlock::tools;
using std::chrono::seconds;

namespace {

constexpr std::array read_sections{&tools::wal_counters, &tools::io_counters};

base::Result<tools::Output> read_rates(tools::Context& context, const tools::Call& call) {
    tools::Evidence evidence;
    evidence.tool = "rates";
    INTERLOCK_TRY(
        const auto window,
        tools::read_window(
            context, call, {.target = "shop", .tool = "rates"}, read_sections, seconds{60}, evidence
        )
    );
    evidence.summary = window.text() + "; WAL known: " +
                       (window.per_second("wal", "", "wal_bytes") ? "yes" : "no") + ".";
    return tools::publish(context, call, std::move(evidence));
}

tools::Tool rates() {
    tools::Tool tool;
    tool.name = "rates";
    tool.output_schema = [] { return tools::packet_schema(tools::Sections{}); };
    tool.run = read_rates;
    return tool;
}

struct Watched {
    test::ManualClock clock;
    telemetry::Metrics metrics;
    tools::Targets targets;
    tools::Sampler sampler;

    explicit Watched(const db::TargetAddress& address)
        : targets{{address}, clock, metrics}, sampler{{targets, clock}} {}
};

} // namespace

TEST_CASE("a target that does not answer leaves a hole, no sample", "[tools]") {
    Watched dead{
        {.name = "dead", .conninfo = "host=/nonexistent dbname=x user=x", .password_file = ""}};
    const auto looked = dead.sampler.look("dead");
    REQUIRE_FALSE(looked.ok());
    CHECK(looked.error().code == base::Errc::target_unreachable);
    CHECK(dead.sampler.kept("dead") == 0);
    CHECK(dead.sampler.kept("nobody") == 0);
    CHECK_FALSE(dead.sampler.before("dead", tools::Sample{}, seconds{60}));
    CHECK_FALSE(dead.sampler.before("nobody", tools::Sample{}, seconds{60}));
}

TEST_CASE("the sample nearest to the window's beginning is found", "[tools][live]") {
    test::Shop shop;
    Watched watched{shop.database().address("interlock_diag", "shop")};
    for (int i = 0; i < 10; ++i) {
        REQUIRE(watched.sampler.look("shop").ok());
        watched.clock.advance(limits::sampler_interval);
    }
    CHECK(watched.sampler.kept("shop") == 10);
    const auto last = watched.sampler.before("shop", tools::Sample{}, seconds{0});
    CHECK_FALSE(last); // of an unknown run of the server
    std::vector<tools::NotExamined> gaps;
    auto connection = db::ReaderConnection::open(shop.database().address("interlock_diag", "shop"));
    REQUIRE(connection.ok());
    const auto queries = tools::counter_queries(tools::all_counters(), (*connection)->facts());
    const auto results = (*connection)->read({}, queries, {});
    REQUIRE(results.ok());
    auto newer =
        tools::Sample::decode(tools::all_counters(), (*connection)->facts(), *results, gaps);
    newer.at = watched.clock.ticks();
    for (const auto& [asked, got] :
         std::vector<std::pair<int, int>>{{0, 10}, {14, 10}, {16, 20}, {60, 60}, {3'600, 100}}) {
        const auto older = watched.sampler.before("shop", newer, seconds{asked});
        REQUIRE(older);
        CHECK(newer.at - older->at == seconds{got});
        CHECK(tools::comparable(*older, newer));
    }
    const auto older = watched.sampler.before("shop", newer, seconds{60});
    const tools::Window window{*older, newer, true};
    CHECK(window.per_second("databases", "postgres", "xact_commit"));
    CHECK(window.per_second("wal", "", "wal_bytes"));
    CHECK(window.per_second("checkpoints", "", "num_requested"));
}

TEST_CASE("samples older than the history are dropped", "[tools][live]") {
    test::Shop shop;
    Watched watched{shop.database().address("interlock_diag", "shop")};
    for (int i = 0; i < 4; ++i) {
        REQUIRE(watched.sampler.look("shop").ok());
        watched.clock.advance(limits::sampler_history / 2);
    }
    CHECK(watched.sampler.kept("shop") == 3);
}

TEST_CASE("an hour of samples stays small", "[tools][live]") {
    for (const int major : lab::majors()) {
        const lab::Database database{lab::primary(major)};
        lab::apply_lane(database);
        Watched watched{database.address("interlock_diag", "shop")};
        REQUIRE(watched.sampler.look("shop").ok());
        watched.clock.advance(limits::sampler_interval);
        const auto connection = db::ReaderConnection::open(database.address("interlock_diag"));
        REQUIRE(connection.ok());
        const auto& facts = (*connection)->facts();
        const auto queries = tools::counter_queries(tools::all_counters(), facts);
        const auto results = (*connection)->read({}, queries, {});
        REQUIRE(results.ok());
        std::vector<tools::NotExamined> gaps;
        const auto sample = tools::Sample::decode(tools::all_counters(), facts, *results, gaps);
        INFO("PostgreSQL " << major << ": " << sample.size() << " counters");
        CHECK(gaps.size() == (major < 16 ? 1 : 0));
        const auto samples = limits::sampler_history / limits::sampler_interval;
        CHECK(sample.size() * sizeof(double) * static_cast<std::size_t>(samples) < 8U << 20U);
    }
}

TEST_CASE("without history a window is two samples a second apart", "[tools][live]") {
    test::Shop shop;
    const auto output = shop.bench().call(rates(), "{}");
    REQUIRE_FALSE(output.is_error);
    const auto packet = nlohmann::json::parse(output.structured);
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("two samples"));
    CHECK_THAT(packet["summary"].get<std::string>(), Catch::Contains("WAL known: yes"));
    CHECK(test::not_examined(packet, "io")); // of version 16
    CHECK(test::not_examined(packet, "rates over the last 60 s"));
    CHECK(packet["not_examined"].size() == 2);
    shop.bench().stop().request_stop();
    CHECK(shop.bench().call(rates(), "{}").error_code == "cancelled");
}

TEST_CASE("the sampler's threads sample until they are stopped", "[tools][live]") {
    test::Shop shop;
    Watched watched{shop.database().address("interlock_diag", "shop")};
    {
        tools::Sampler sampler{
            {.targets = watched.targets,
             .clock = watched.clock,
             .interval = std::chrono::milliseconds{1}}};
        sampler.start();
        CHECK(lab::wait_until([&] { return sampler.kept("shop") >= 3; }));
    }
    CHECK(watched.sampler.kept("shop") == 0);
}

TEST_CASE("sizes are kept every five minutes, and a window says what it lacks", "[tools][live]") {
    test::Shop shop;
    Watched watched{shop.database().address("interlock_diag", "shop")};
    auto connection = db::ReaderConnection::open(shop.database().address("interlock_diag", "shop"));
    REQUIRE(connection.ok());
    const auto sizes_now = [&] {
        std::vector<tools::NotExamined> gaps;
        const auto& facts = (*connection)->facts();
        const auto results =
            (*connection)->read({}, tools::counter_queries(tools::size_counters(), facts), {});
        REQUIRE(results.ok());
        auto sample = tools::Sample::decode(tools::size_counters(), facts, *results, gaps);
        CHECK(gaps.empty());
        sample.at = watched.clock.ticks();
        return sample;
    };
    for (int i = 0; i < 120; ++i) { // twenty minutes
        REQUIRE(watched.sampler.look("shop").ok());
        watched.clock.advance(limits::sampler_interval);
    }
    const auto newer = sizes_now();
    CHECK(newer.value("tables", "app.orders", "bytes") > 8'000);
    std::set<base::Ticks> moments;
    for (int wanted = 0; wanted <= 3'600; wanted += 60) {
        const auto older = watched.sampler.sizes_before("shop", newer, seconds{wanted});
        REQUIRE(older);
        moments.insert(older->at);
    }
    CHECK(moments.size() == 4);
    CHECK_FALSE(watched.sampler.sizes_before("nobody", newer, seconds{60}));
}
