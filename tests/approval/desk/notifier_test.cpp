// Receivers as they are: quick, slow, broken, rude, and gone; and a desk that ends in between.
#include "approval/brakes_lift.hpp"
#include "approval/desk/notifier.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "tests/approval/brakes_fixture.hpp"
#include "tests/telemetry/collector.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::desk {

namespace {

using approval::BrakeKind;
using approval::lift_brakes;
using test::BrakeStore;
using test::Collector;

/// Tries as a desk does, without its pauses.
constexpr NotifierPace hasty{
    .interval = std::chrono::milliseconds{10},
    .timeout = std::chrono::milliseconds{300},
    .retry_first = std::chrono::milliseconds{1},
    .retry_longest = std::chrono::milliseconds{2},
    .tries_max = 3};

struct Room : BrakeStore {
    Notifier notifier(const std::string& url, const std::string& secret = {}) {
        return Notifier(
            {directory.file("queue.db"), directory.file("notified"), {url, secret}, clock, hasty}
        );
    }
    std::string told() { return base::read_file(directory.file("notified"), 100).value(); }
};

std::string name_in(const base::HttpRequest& request) {
    return base::parse_json(request.body).value()["data"]["name"].get<std::string>();
}

std::string header(const base::HttpRequest& request, const char* name) {
    return std::string(request.header(name).value_or(""));
}

} // namespace

TEST_CASE("every brake is told once, in its order, also by the next desk", "[approval]") {
    Room room;
    Collector receiver;
    auto notifier = room.notifier(receiver.url());
    REQUIRE(notifier.look().ok());
    CHECK(receiver.requests().empty());
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(room.set(BrakeKind::target, "two").ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(receiver.requests().size() == 2);
    CHECK(name_in(receiver.requests()[0]) == "one");
    CHECK(name_in(receiver.requests()[1]) == "two");
    CHECK(header(receiver.requests()[0], "Content-Type") == "application/json");
    CHECK(header(receiver.requests()[0], "webhook-signature").empty());
    auto next = room.notifier(receiver.url());
    REQUIRE(next.look().ok());
    CHECK(receiver.requests().size() == 2);
    REQUIRE(room.set(BrakeKind::tool, "three").ok());
    REQUIRE(next.look().ok());
    REQUIRE(receiver.requests().size() == 3);
    CHECK(name_in(receiver.requests()[2]) == "three");
}

TEST_CASE("what was set and lifted is told when it is set again", "[approval]") {
    Room room;
    Collector receiver;
    auto notifier = room.notifier(receiver.url());
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(
        lift_brakes(*room.store, room.random, {BrakeKind::tool, "one", {}, "os:bob", "done"}).ok()
    );
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(receiver.requests().size() == 2);
    CHECK(
        header(receiver.requests()[0], "webhook-id") != header(receiver.requests()[1], "webhook-id")
    );
}

TEST_CASE("a signature is the one of Standard Webhooks, over what was sent", "[approval]") {
    Room room;
    Collector receiver;
    auto notifier = room.notifier(receiver.url(), "a secret of the receiver");
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(receiver.requests().size() == 1);
    const auto sent = receiver.requests()[0];
    const auto at = header(sent, "webhook-timestamp");
    CHECK(at == std::to_string(room.clock.seconds()));
    const auto signed_text = header(sent, "webhook-id") + "." + at + "." + sent.body;
    CHECK(
        header(sent, "webhook-signature") ==
        "v1," + base::base64(base::hmac_sha256("a secret of the receiver", signed_text).view())
    );
    CHECK(sent.body.find("a secret") == std::string::npos);
}

TEST_CASE("a receiver that fails is asked again, and the same is sent", "[approval]") {
    Room room;
    Collector receiver;
    const std::vector<base::HttpResponse> failures{
        {500, {}, "oops"},
        {302, {{"Location", "http://169.254.169.254/"}}, ""},
        {404, {}, ""},
        {200, {}, std::string(100'000, 'x')}, // more than anybody reads
    };
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    auto notifier = room.notifier(receiver.url());
    std::size_t requests = 0;
    for (const auto& failure : failures) {
        INFO(failure.status);
        receiver.answer(failure);
        CHECK(room.set(BrakeKind::tool, "tool" + std::string(requests, '_')).ok());
        REQUIRE(notifier.look().ok());
        const auto seen = receiver.requests();
        REQUIRE(seen.size() > requests + 1);
        CHECK(seen[requests].body == seen[requests + 1].body);
        CHECK(header(seen[requests], "webhook-id") == header(seen[requests + 1], "webhook-id"));
        requests = seen.size();
    }
}

TEST_CASE("a receiver that never answers is given up, told in the log, and not waited for twice") {
    Room room;
    Collector receiver;
    receiver.hang();
    auto notifier = room.notifier(receiver.url());
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(room.set(BrakeKind::tool, "two").ok());
    REQUIRE(notifier.look().ok());
    CHECK(receiver.requests().size() == 4); // three tries, and one for the second
    REQUIRE(notifier.look().ok());
    CHECK(receiver.requests().size() == 4); // given up is given up
}

TEST_CASE("nobody at the address is no reason to tell nothing later", "[approval]") {
    Room room;
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    REQUIRE(room.notifier("http://127.0.0.1:1/").look().ok());
    Collector receiver;
    auto notifier = room.notifier(receiver.url());
    REQUIRE(room.set(BrakeKind::tool, "two").ok());
    REQUIRE(notifier.look().ok());
    REQUIRE(receiver.requests().size() == 1);
    CHECK(name_in(receiver.requests()[0]) == "two");
}

TEST_CASE("a desk that ends while it tries begins there again", "[approval]") {
    Room room;
    Collector receiver;
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(room.notifier("http://127.0.0.1:1/").look(stop.get_token()).ok());
    CHECK_FALSE(base::read_file(room.directory.file("notified"), 100).ok());
    REQUIRE(room.notifier(receiver.url()).look().ok());
    CHECK(receiver.requests().size() == 1);
}

TEST_CASE("a store that is older than what was told is told again", "[approval]") {
    Room room;
    Collector receiver;
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    for (const char* const told : {"1000000\n", "no number"}) {
        REQUIRE(base::write_file_atomically(room.directory.file("notified"), told).ok());
        REQUIRE(room.notifier(receiver.url()).look().ok());
    }
    CHECK(receiver.requests().size() == 2);
    CHECK(room.told() == std::to_string(room.in_force()[0].leaf + 1) + "\n");
}

TEST_CASE("a store that is not there yet, or broken, ends nothing", "[approval]") {
    Room room;
    Collector receiver;
    Notifier none(
        {room.directory.file("nowhere.db"),
         room.directory.file("n"),
         {receiver.url(), ""},
         room.clock}
    );
    CHECK(none.look().ok());
    REQUIRE(base::write_file_atomically(room.directory.file("broken.db"), "no database").ok());
    Notifier broken(
        {room.directory.file("broken.db"),
         room.directory.file("n"),
         {receiver.url(), ""},
         room.clock}
    );
    CHECK_FALSE(broken.look().ok());
    CHECK(receiver.requests().empty());
}

TEST_CASE("its thread tells by itself, and ends while a receiver hangs", "[approval]") {
    Room room;
    Collector receiver;
    auto notifier = room.notifier(receiver.url());
    notifier.start();
    REQUIRE(room.set(BrakeKind::tool, "one").ok());
    CHECK(receiver.has(1));
    receiver.hang();
    REQUIRE(room.set(BrakeKind::tool, "two").ok());
    CHECK(receiver.has(2));
}

TEST_CASE("the receiver's address and secret come from private files", "[approval]") {
    test::TemporaryDirectory directory;
    const auto url = directory.file("url");
    const auto secret = directory.file("secret");
    const auto read = [&](const std::string& address, const std::string& its_secret) {
        REQUIRE(base::write_file_atomically(url, address).ok());
        REQUIRE(base::write_file_atomically(secret, its_secret).ok());
        return read_receiver(url, secret);
    };
    CHECK(read("https://chat.example/hook/abc\n", "s3cret\n")->secret == "s3cret");
    CHECK(read("https://chat.example/hook/abc", "whsec_c2VjcmV0")->secret == "secret");
    CHECK(read("http://127.0.0.1:8065/hook", "x")->url == "http://127.0.0.1:8065/hook");
    CHECK(read_receiver(url, "")->secret.empty());
    for (const char* const wrong : {"http://chat.example/hook", "chat.example", "ftp://x", "\n"}) {
        INFO(wrong);
        const auto found = read(wrong, "x");
        REQUIRE_FALSE(found.ok());
        CHECK(found.error().code == base::Errc::invalid_input);
    }
    CHECK_FALSE(read("https://chat.example/hook", "whsec_no base64!").ok());
    CHECK_FALSE(read_receiver(directory.file("nowhere"), "").ok());
    ::chmod(url.c_str(), 0644);
    CHECK(read_receiver(url, "").error().code == base::Errc::permission_denied);
}

} // namespace interlock::desk
