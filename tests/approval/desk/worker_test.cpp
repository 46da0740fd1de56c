#include "approval/desk/worker.hpp"
#include "base/http_client.hpp"
#include "tests/approval/desk/watch.hpp"
#include "tests/approval/fixture.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::desk {

using test::must;

namespace {

const std::string token(64, 't');

/// Keeps what it was answered.
class Recorder final : public base::HttpExchange {
public:
    explicit Recorder(const std::string& path) {
        request_.method = "GET";
        request_.path = path;
        request_.headers = {{"Authorization", "Bearer " + token}};
    }
    const base::HttpRequest& request() const override { return request_; }
    void respond(base::HttpResponse response) override {
        const std::lock_guard lock(mutex_);
        response_ = std::move(response);
    }
    void start_stream(unsigned, base::HttpHeaders) override {}
    void write(std::string) override {}
    void finish() override {}
    std::stop_token gone() const override { return {}; }
    unsigned status() {
        const std::lock_guard lock(mutex_);
        return response_.status;
    }

private:
    base::HttpRequest request_;
    std::mutex mutex_;
    base::HttpResponse response_{0, {}, ""};
};

} // namespace

TEST_CASE("every request is answered, and at the end what waited is answered too") {
    test::Office office;
    const auto watch = test::watch_of(office);
    const PlanSource plans(office.directory.file("queue.db"), *watch, office.clock, office.random);
    const Site site(plans, token);
    std::vector<std::shared_ptr<Recorder>> exchanges;
    {
        Worker worker(site);
        for (int i = 0; i < 300; ++i) {
            exchanges.push_back(std::make_shared<Recorder>(i % 2 ? "/api/plans" : "/healthz"));
            worker.take(exchanges.back());
        }
    }
    int served = 0;
    for (const auto& exchange : exchanges) {
        CHECK((exchange->status() == 200 || exchange->status() == 503));
        served += exchange->status() == 200;
    }
    CHECK(served >= 64); // the line's length at least
}

TEST_CASE("the desk answers over HTTP, and only for its own names") {
    test::Office office;
    const std::string id = office.submitted();
    const auto watch = test::watch_of(office);
    const PlanSource plans(office.directory.file("queue.db"), *watch, office.clock, office.random);
    const Site site(plans, token);
    Worker worker(site);
    base::HttpServerOptions options;
    options.gate = [](const base::HttpRequest& request) {
        return base::refuse_foreign_host(request, {"127.0.0.1"}, 0);
    };
    options.handler = [&](std::shared_ptr<base::HttpExchange> exchange) {
        worker.take(std::move(exchange));
    };
    const auto server = must(base::HttpServer::start(std::move(options)));
    const auto get = [&](const std::string& path, const std::string& host) {
        base::HttpCall call;
        call.url = "http://127.0.0.1:" + std::to_string(server->port()) + path;
        call.headers = {{"Authorization", "Bearer " + token}, {"Host", host}};
        return must(base::http_call(call));
    };
    const auto page = get("/plans/" + id, "127.0.0.1");
    CHECK(page.status == 200);
    CHECK(page.body.find(id) != std::string::npos);
    CHECK(get("/plans/" + id, "evil.example").status == 403);
    server->stop(std::chrono::milliseconds{1000});
}

} // namespace interlock::desk
