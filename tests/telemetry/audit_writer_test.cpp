#include "tests/telemetry/audit_support.hpp"

#include <condition_variable>
#include <set>
#include <thread>
#include <utility>

#include <catch2/catch.hpp>

namespace interlock::telemetry {
namespace {

using test::AuditFixture;

AuditEntry call(const std::string& actor = "os:alice") {
    return {"tool.begin", actor, "", "{}"};
}

/// Holds every write until it is opened: a disk that hangs.
class GatedStore final : public db::Store {
public:
    explicit GatedStore(db::Store& store) : store_(store) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        std::unique_lock lock(mutex_);
        ++writing_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
        return store_.transact(body);
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return store_.read(body);
    }
    std::string describe() const override { return "gated"; }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void wait_for_write() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return writing_ > 0; });
    }
    int writes() {
        const std::lock_guard lock(mutex_);
        return writing_;
    }

private:
    db::Store& store_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    int writing_ = 0;
};

/// Loses its first write, and takes the next: a disk on which somebody made room.
class FullForOnce final : public db::Store {
public:
    explicit FullForOnce(db::Store& store) : store_(store) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        if (std::exchange(full_, false))
            return base::Error{base::Errc::io, "The disk is full.", "Make room."};
        return store_.transact(body);
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return store_.read(body);
    }
    std::string describe() const override { return "full for once"; }

private:
    db::Store& store_;
    bool full_ = true;
};

TEST_CASE("a leaf is lost with the leaf that it belongs to", "[telemetry]") {
    AuditFixture f;
    FullForOnce store(*f.store);
    const auto writer = AuditWriter::start(store, f.random);
    const auto begun = writer->enqueue(call());
    REQUIRE(begun);
    CHECK(begun.value()->wait().error().code == base::Errc::io);
    CHECK(begun.value()->lost());
    auto orphan = call();
    orphan.after = begun.value();
    CHECK_THAT(writer->append(orphan).error().what, Catch::Contains("belongs to"));

    const auto next = writer->enqueue(call());
    auto end = call();
    end.after = next.value();
    CHECK(writer->append(end).value() == 1);
    CHECK_FALSE(next.value()->lost());
    CHECK(f.head().size == 2);
}

TEST_CASE("a leaf is on disk when append returns", "[telemetry]") {
    AuditFixture f;
    const auto writer = AuditWriter::start(*f.store, f.random);
    for (std::uint64_t i = 0; i < 5; ++i) {
        const auto index = writer->append(call());
        REQUIRE(index);
        CHECK(*index == i);
        const auto reader = test::open_store(f.path, f.clock, db::StoreMode::read_only);
        CHECK(read_audit(*reader, i, 10)->size() == 1);
    }
}

TEST_CASE("many threads get one leaf each", "[telemetry]") {
    AuditFixture f;
    constexpr int threads = 8;
    constexpr int each = 25;
    std::mutex mutex;
    std::multiset<std::uint64_t> indexes;
    {
        const auto writer = AuditWriter::start(*f.store, f.random);
        std::vector<std::jthread> callers;
        for (int i = 0; i < threads; ++i)
            callers.emplace_back([&, i] {
                for (int n = 0; n < each; ++n) {
                    const auto index = writer->append(call("caller " + std::to_string(i)));
                    const std::lock_guard lock(mutex);
                    indexes.insert(index ? *index : 1'000'000);
                }
            });
    }
    CHECK(indexes.size() == threads * each);
    CHECK(std::set<std::uint64_t>(indexes.begin(), indexes.end()).size() == threads * each);
    CHECK(*indexes.rbegin() == threads * each - 1);
    const auto found = f.verify();
    CHECK(found.size == threads * each);
    CHECK(found.problems.empty());
}

TEST_CASE("calls that arrive together share a commit", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    {
        const auto writer = AuditWriter::start(gated, f.random);
        std::vector<std::jthread> callers;
        callers.emplace_back([&] { (void)writer->append(call()); });
        gated.wait_for_write();
        std::atomic<int> started = 0;
        for (int i = 0; i < 20; ++i)
            callers.emplace_back([&] {
                ++started;
                (void)writer->append(call());
            });
        while (started < 20)
            std::this_thread::yield();
        gated.open();
    }
    CHECK(f.head().size == 21);
    CHECK(gated.writes() < 21);
    CHECK(f.verify().problems.empty());
}

TEST_CASE("a store that cannot be written fails the call", "[telemetry]") {
    AuditFixture f;
    f.fill(2);
    const auto reader = test::open_store(f.path, f.clock, db::StoreMode::read_only);
    const auto writer = AuditWriter::start(*reader, f.random);
    for (int i = 0; i < 2; ++i) {
        const auto index = writer->append(call());
        REQUIRE_FALSE(index);
        CHECK(index.error().code == base::Errc::store_read_only);
    }
    CHECK(f.head().size == 2);
}

TEST_CASE("a store that hangs fails the call after a bounded wait", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    auto writer = AuditWriter::start(gated, f.random, {.wait_max = std::chrono::milliseconds{20}});
    const auto begun = writer->enqueue(call("begun"));
    gated.wait_for_write();
    CHECK(begun.value()->wait().error().code == base::Errc::timeout);
    CHECK(writer->append(call("queued")).error().code == base::Errc::timeout);
    gated.open();
    writer.reset();
    // The one that had begun may be written late; the one still queued must not be.
    const auto records = read_audit(*f.store, 0, 10);
    REQUIRE(records);
    for (const auto& record : *records)
        CHECK(record.header.find("queued") == std::string::npos);
    CHECK(f.verify().problems.empty());
}

TEST_CASE("a full queue refuses at once", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    const auto writer = AuditWriter::start(gated, f.random, {.queue_max = 0});
    CHECK(writer->append(call()).error().code == base::Errc::store_busy);
    gated.open();
}

TEST_CASE("a leaf that nobody waits for shares the commit of the next", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    gated.open();
    const auto writer = AuditWriter::start(gated, f.random, {.linger = std::chrono::hours{1}});
    const auto begin = writer->enqueue(call());
    REQUIRE(begin);
    CHECK(writer->append(call()).value() == 1);
    CHECK(begin.value()->wait().value() == 0);
    CHECK(begin.value()->wait().value() == 0);
    CHECK(gated.writes() == 1);
}

TEST_CASE("a leaf that nobody waits for is written all the same", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    gated.open();
    auto writer = AuditWriter::start(gated, f.random, {.linger = std::chrono::milliseconds{1}});
    REQUIRE(writer->enqueue(call()));
    gated.wait_for_write();
    const auto last = writer->enqueue(call());
    writer.reset();
    CHECK(last.value()->wait().value() == 1); // the ticket outlives the writer
    CHECK(f.head().size == 2);
    CHECK(f.verify().problems.empty());
}

TEST_CASE(
    "an awaited leaf is written before anybody waits, with what came before it", "[telemetry]"
) {
    AuditFixture f;
    GatedStore gated(*f.store);
    gated.open();
    const auto writer = AuditWriter::start(gated, f.random, {.linger = std::chrono::hours{1}});
    const auto begin = writer->enqueue(call());
    auto end = call();
    end.after = begin.value();
    end.awaited = true;
    const auto ended = writer->enqueue(end);
    gated.wait_for_write();
    CHECK(ended.value()->wait().value() == 1);
    CHECK(ended.value()->known());
    CHECK(begin.value()->known());
    CHECK_FALSE(begin.value()->lost());
    CHECK(gated.writes() == 1);
}

TEST_CASE("awaited leaves of a store that hangs are given up together", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    constexpr std::chrono::milliseconds patience{300};
    auto writer = AuditWriter::start(gated, f.random, {.wait_max = patience});
    REQUIRE(writer->enqueue(call()));
    gated.wait_for_write();
    std::vector<std::shared_ptr<AuditTicket>> ends;
    for (int i = 0; i < 50; ++i) {
        auto end = call("end");
        end.awaited = true;
        ends.push_back(writer->enqueue(end).value());
    }
    const base::SystemClock clock;
    const auto began = clock.ticks();
    for (const auto& end : ends) {
        CHECK_FALSE(end->known());
        CHECK(end->wait().error().code == base::Errc::timeout);
        CHECK(end->lost());
    }
    CHECK(clock.ticks() - began < 25 * patience); // one after another they would take 50
    gated.open();
    writer.reset();
    CHECK(f.head().size == 1);
}

TEST_CASE("a leaf that came too late stays refused", "[telemetry]") {
    AuditFixture f;
    GatedStore gated(*f.store);
    auto writer = AuditWriter::start(gated, f.random, {.wait_max = std::chrono::milliseconds{20}});
    const auto begun = writer->enqueue(call());
    gated.wait_for_write();
    CHECK(begun.value()->wait().error().code == base::Errc::timeout);
    const auto queued = writer->enqueue(call());
    CHECK(queued.value()->wait().error().code == base::Errc::timeout);
    gated.open();
    writer.reset();
    CHECK(begun.value()->wait().value() == 0);
    CHECK(queued.value()->wait().error().code == base::Errc::timeout);
    CHECK(f.head().size == 1);
}

TEST_CASE("an entry that cannot be recorded does not fail its neighbours", "[telemetry]") {
    AuditFixture f;
    const auto writer = AuditWriter::start(*f.store, f.random);
    CHECK(writer->append({"t", "a", "", "\xff"}).error().code == base::Errc::internal);
    CHECK(writer->append(call()));
}

} // namespace
} // namespace interlock::telemetry
