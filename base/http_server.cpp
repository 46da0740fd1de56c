#include "base/http_server.hpp"

#include "base/http_core.hpp"
#include "base/http_listener.hpp"
#include "base/log.hpp"

#include <csignal>
#include <thread>

namespace interlock::base {
namespace {

using std::chrono::milliseconds;

class Server final : public HttpServer {
public:
    Server(std::shared_ptr<HttpCore> core, std::shared_ptr<HttpListener> listener)
        : core_(std::move(core)), listener_(std::move(listener)), port_(listener_->port()) {
        listener_->start();
        thread_ = std::thread([core = core_] { run(*core); });
    }
    ~Server() override { stop(milliseconds{0}); }

    unsigned short port() const override { return port_; }

    Status reload_tls() override {
        return core_->certificate ? core_->certificate->reload() : Status(done);
    }

    void stop(milliseconds drain) override {
        const std::lock_guard once(stop_mutex_);
        if (!thread_.joinable()) {
            return;
        }
        core_->loop.post([this] {
            core_->drain();
            listener_->close();
        });
        {
            std::unique_lock lock(core_->mutex);
            core_->changed.wait_for(lock, drain, [this] { return core_->all_closed; });
        }
        core_->loop.post([this] {
            core_->close_all();
            core_->loop.finish();
        });
        thread_.join();
        listener_.reset();
        // What they hold may hold exchanges, and those hold the core.
        core_->options.handler = nullptr;
        core_->options.gate = nullptr;
    }

private:
    /// An exception here is a defect or a want of memory; it ends one connection's turn, not all.
    static void run(HttpCore& core) {
        // Signals are for the program's own thread; a write to a closed socket is just an error.
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
        for (bool running = true; running;) {
            try {
                core.loop.run();
                running = false;
            } catch (const std::exception& problem) {
                log_error("http.turn_failed", {{"why", problem.what()}});
            }
        }
    }

    std::shared_ptr<HttpCore> core_;
    std::shared_ptr<HttpListener> listener_;
    unsigned short port_;
    std::mutex stop_mutex_;
    std::thread thread_;
};

} // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options) {
    if (!options.handler) {
        return Error{Errc::internal, "An HTTP server needs a handler.", ""};
    }
    std::unique_ptr<TlsCertificate> certificate;
    if (options.tls) {
        INTERLOCK_TRY(certificate, TlsCertificate::load(*options.tls));
    }
    const auto core = std::make_shared<HttpCore>(std::move(options), std::move(certificate));
    INTERLOCK_TRY(auto listener, HttpListener::bind(*core));
    return std::unique_ptr<HttpServer>(std::make_unique<Server>(core, std::move(listener)));
}

} // namespace interlock::base
