#include "server/stream_judge.hpp"
#include "tests/server/fixture.hpp"

#include <atomic>

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using interlock::base::HttpExchange;
using interlock::base::HttpHeaders;
using interlock::base::HttpRequest;
using interlock::base::HttpResponse;
using interlock::server::Access;
using interlock::server::Gatekeeper;
using interlock::server::StreamJudge;
using interlock::test::eventually;

/// Knows everybody by the name in the query, until that is forgotten.
class Names final : public Gatekeeper {
public:
    std::variant<Access, HttpResponse> admit(const HttpRequest& request) override {
        ++asked;
        if (request.query == forgotten.load()) {
            return HttpResponse{401, {}, ""};
        }
        return access_of(request.query, request.query == promoted.load());
    }
    HttpResponse insufficient_scope(const std::string&, std::string) override { return {}; }
    std::optional<HttpResponse> metadata(const HttpRequest&) override { return std::nullopt; }
    static Access access_of(const std::string& name, bool more = false) {
        Access access;
        access.identity.subject = name;
        access.scopes = {"interlock:triage"};
        if (more) {
            access.scopes->insert("interlock");
        }
        return access;
    }
    std::atomic<int> asked{0};
    std::atomic<const char*> forgotten{""};
    std::atomic<const char*> promoted{""};
};

class Stream final : public HttpExchange {
public:
    explicit Stream(const std::string& name) { request_.query = name; }
    const HttpRequest& request() const override { return request_; }
    void respond(HttpResponse) override {}
    void start_stream(unsigned, HttpHeaders) override {}
    void write(std::string) override {}
    void finish() override {}
    void end_stream_at(interlock::base::Time) override { ended = true; }
    std::stop_token gone() const override { return gone_.get_token(); }
    void leave() { gone_.request_stop(); }
    std::atomic<bool> ended{false};

private:
    HttpRequest request_;
    std::stop_source gone_;
};

} // namespace

TEST_CASE("a stream ends when it would not be opened any more, or otherwise", "[server]") {
    Names names;
    StreamJudge judge(names, 1ms);
    const auto stays = std::make_shared<Stream>("stays");
    const auto goes = std::make_shared<Stream>("goes");
    const auto rises = std::make_shared<Stream>("rises");
    for (const auto& stream : {stays, goes, rises}) {
        judge.watch(stream, Names::access_of(stream->request().query));
    }
    names.forgotten = "goes";
    CHECK(eventually([&] { return goes->ended.load(); }));
    names.promoted = "rises";
    CHECK(eventually([&] { return rises->ended.load(); }));
    CHECK(eventually([&] { return judge.watched() == 1; }));
    CHECK_FALSE(stays->ended.load());
}

TEST_CASE("nobody is judged without authorization, or after the end", "[server]") {
    Names names;
    StreamJudge judge(names, 1ms);
    const auto open = std::make_shared<Stream>("goes");
    judge.watch(open, Access{});
    CHECK(judge.watched() == 0);
    auto dropped = std::make_shared<Stream>("a");
    const auto left = std::make_shared<Stream>("b");
    judge.watch(dropped, Names::access_of("a"));
    judge.watch(left, Names::access_of("b"));
    dropped.reset();
    left->leave();
    CHECK(eventually([&] { return judge.watched() == 0; }));
    CHECK_FALSE(left->ended.load());
}
