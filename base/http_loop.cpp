#include "base/http_loop.hpp"

#include <exception>
#include <unistd.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

namespace interlock::base {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Executor = asio::io_context::executor_type; // the general executor costs memory and time
using Timer = asio::basic_waitable_timer<
    std::chrono::steady_clock,
    asio::wait_traits<std::chrono::steady_clock>,
    Executor>;

} // namespace

struct HttpLoop::Parts {
    asio::io_context io{1};
    asio::executor_work_guard<Executor> work{io.get_executor()};
};

HttpLoop::HttpLoop() : parts_(std::make_unique<Parts>()) {}
HttpLoop::~HttpLoop() = default;

void HttpLoop::run() {
    parts_->io.run();
}

void HttpLoop::finish() {
    parts_->work.reset();
}

void HttpLoop::post(std::function<void()> action) {
    asio::post(parts_->io, std::move(action));
}

struct HttpDescriptor::Handle {
    asio::posix::basic_stream_descriptor<Executor> descriptor;
};

HttpDescriptor::HttpDescriptor(HttpLoop& loop, int descriptor) {
    try {
        handle_.reset(new Handle{{loop.parts().io.get_executor(), descriptor}});
    } catch (const std::exception&) { // the system watches no more descriptors
        ::close(descriptor);
        throw;
    }
}
HttpDescriptor::~HttpDescriptor() = default;

void HttpDescriptor::wait(Event event, std::shared_ptr<HttpReady> waiter, Event then) {
    using Base = asio::posix::descriptor_base;
    handle_->descriptor.async_wait(
        event == Event::readable ? Base::wait_read : Base::wait_write,
        [waiter = std::move(waiter), then](error_code problem) {
            if (problem == asio::error::operation_aborted) {
                return;
            }
            if (then == Event::readable) {
                waiter->on_readable();
            } else {
                waiter->on_writable();
            }
        }
    );
}

int HttpDescriptor::number() const {
    return handle_->descriptor.native_handle();
}

void HttpDescriptor::close() {
    error_code ignored;
    handle_->descriptor.close(ignored);
}

struct HttpTimer::Handle {
    Timer timer;
};

HttpTimer::HttpTimer(HttpLoop& loop) : handle_(new Handle{Timer(loop.parts().io.get_executor())}) {}
HttpTimer::~HttpTimer() = default;

void HttpTimer::start(std::chrono::milliseconds delay, std::function<void()> action) {
    handle_->timer.expires_after(delay);
    handle_->timer.async_wait([action = std::move(action)](error_code cancelled) {
        if (!cancelled) {
            action();
        }
    });
}

void HttpTimer::cancel() {
    handle_->timer.cancel();
}

} // namespace interlock::base
