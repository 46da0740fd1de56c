#include "approval/desk/notifier.hpp"

#include "approval/desk/token.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/pause.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace interlock::desk {

namespace {

constexpr std::size_t answer_bytes_max = 16 * 1024; // nobody reads it
constexpr std::size_t told_bytes_max = 64;          // a number

bool is_of_this_machine(const std::string& url) {
    return url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:") ||
           url.starts_with("http://[::1]:");
}

/// Standard Webhooks: what a receiver's library verifies.
std::string signature(
    const std::string& secret, const std::string& id, const std::string& at, const std::string& body
) {
    return "v1," + base::base64(base::hmac_sha256(secret, id + "." + at + "." + body).view());
}

/// 0 when nothing was told yet, or what is kept is no number: rather told twice than not at all.
std::uint64_t read_told(const std::string& path) {
    const auto text = base::read_file(path, told_bytes_max);
    std::uint64_t leaf = 0;
    if (text.ok())
        std::from_chars(text->data(), text->data() + text->size(), leaf);
    return leaf;
}

} // namespace

base::Result<Receiver> read_receiver(const std::string& url_file, const std::string& secret_file) {
    Receiver receiver;
    INTERLOCK_TRY(receiver.url, read_private_line(url_file));
    if (!receiver.url.starts_with("https://") && !is_of_this_machine(receiver.url))
        return base::Error{
            base::Errc::invalid_input,
            "The address in " + url_file +
                " is not an https URL: what is posted would cross the network unprotected.",
            "Write the chat's incoming webhook into it, and nothing else."};
    if (!secret_file.empty()) {
        INTERLOCK_TRY(receiver.secret, read_private_line(secret_file));
    }
    constexpr std::string_view standard = "whsec_"; // base64 follows
    if (receiver.secret.starts_with(standard)) {
        INTERLOCK_TRY(receiver.secret, base::from_base64(receiver.secret.substr(standard.size())));
    }
    return receiver;
}

Notifier::Notifier(NotifierParts parts) : parts_(std::move(parts)) {}

void Notifier::start() {
    thread_ = std::jthread([this](const std::stop_token& ended) {
        do {
            const auto looked = look(ended);
            if (!looked && !std::exchange(store_is_away_, true))
                base::log_warning("notify.no_look", {{"why", base::to_text(looked.error())}});
            store_is_away_ = !looked;
        } while (base::pause(ended, parts_.pace.interval));
    });
}

base::Status Notifier::look(const std::stop_token& stop) {
    std::unique_ptr<db::Store> opened;
    if (!shared_) {
        auto store = db::open_store(parts_.queue, db::StoreMode::read_only, parts_.clock);
        if (!store && store.error().code == base::Errc::not_found)
            return base::done; // no server has started yet
        if (!store)
            return store.error();
        (parts_.queue.shared ? shared_ : opened) = std::move(*store);
    }
    db::Store& store = shared_ ? *shared_ : *opened;
    telemetry::Checkpoint head;
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(head, telemetry::audit_head(transaction));
        return base::done;
    }));
    if (!next_leaf_)
        next_leaf_ = read_told(parts_.told_path);
    if (*next_leaf_ > head.size) // another store, or an older copy of it
        next_leaf_ = 0;
    INTERLOCK_TRY(const auto brakes, brakes_from(store, *next_leaf_, base::limits::brakes_max));
    for (const BrakeView& view : brakes) {
        const std::string id = head.origin + "/" + std::to_string(view.brake.leaf);
        if (!deliver(view, id, stop))
            return base::done; // ended: told after the next start
        remember(view.brake.leaf + 1);
    }
    return base::done;
}

/// False only when it was told to stop meanwhile.
bool Notifier::deliver(const BrakeView& view, const std::string& id, const std::stop_token& stop) {
    const std::string body = notification(view, id);
    const int tries_max = receiver_is_down_ ? 1 : parts_.pace.tries_max;
    auto wait = parts_.pace.retry_first;
    for (int tries = 1;; ++tries) {
        const auto posted = post(id, body, stop);
        if (posted) {
            receiver_is_down_ = false;
            base::log_info("notify.told", {{"id", id}, {"tries", std::to_string(tries)}});
            return true;
        }
        if (stop.stop_requested())
            return false;
        if (tries >= tries_max) {
            receiver_is_down_ = true;
            base::log_error(
                "notify.not_told",
                {{"id", id},
                 {"kind", approval::name(view.brake.kind)},
                 {"subject", view.brake.name},
                 {"reason", view.brake.reason},
                 {"tries", std::to_string(tries)},
                 {"why", base::to_text(posted.error())},
                 {"then", "it is not tried again; the desk and `interlock kill list` show it"}}
            );
            return true;
        }
        base::log_warning("notify.failed", {{"id", id}, {"why", base::to_text(posted.error())}});
        if (!base::pause(stop, wait))
            return false;
        wait = std::min(2 * wait, parts_.pace.retry_longest);
    }
}

base::Status
Notifier::post(const std::string& id, const std::string& body, const std::stop_token& stop) {
    base::HttpCall call;
    call.method = "POST";
    call.url = parts_.receiver.url;
    call.body = body;
    call.timeout = parts_.pace.timeout;
    call.response_bytes_max = answer_bytes_max;
    call.stop = stop;
    call.headers = {{"Content-Type", "application/json"}, {"webhook-id", id}};
    if (!parts_.receiver.secret.empty()) {
        const std::string at =
            std::to_string(base::microseconds_since_epoch(parts_.clock.now()) / 1'000'000);
        call.headers.emplace_back("webhook-timestamp", at);
        call.headers.emplace_back(
            "webhook-signature", signature(parts_.receiver.secret, id, at, body)
        );
    }
    const auto answer = base::http_call(call);
    INTERLOCK_CHECK(answer);
    if (answer->status >= 200 && answer->status < 300)
        return base::done;
    return base::Error{
        base::Errc::refused,
        "The receiver answered " + std::to_string(answer->status) + ".",
        "Look at the webhook's address and at the chat."};
}

void Notifier::remember(std::uint64_t next_leaf) {
    next_leaf_ = next_leaf;
    const auto kept =
        base::write_file_atomically(parts_.told_path, std::to_string(next_leaf) + "\n");
    if (!kept)
        base::log_error("notify.not_kept", {{"why", base::to_text(kept.error())}});
}

} // namespace interlock::desk
