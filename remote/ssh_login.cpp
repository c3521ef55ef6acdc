#include "remote/ssh_login.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/log.h"
#include "core/text.h"
#include "remote/ssh_private_key.h"
#include "remote/ssh_wire.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostKeys =
    5;  // OpenSSH's MaxAuthTries is 6 and ends the connection at the sixth refusal

/// The user's keys as ssh itself looks for them, best first.
constexpr const char* kDefaultNames[] = {"id_ed25519", "id_ecdsa", "id_rsa"};

struct Keys {
  std::vector<KeyFile> files;  ///< explicit first, then ours, then the user's
  std::vector<AgentKey> in_agent;
  std::optional<SshAgent> agent;
  std::string note;  ///< why a key that is there cannot be used

  bool agent_has(const std::string& blob) const {
    return std::any_of(in_agent.begin(), in_agent.end(), [&](const AgentKey& k) { return k.blob == blob; });
  }
};

std::string type_of(const std::string& blob) {
  std::string_view b(blob);
  return b.size() > 4 ? std::string(b.substr(4, static_cast<unsigned char>(b[3]))) : "";
}

bool is_simple_type(const std::string& type) {
  return type == "ssh-ed25519" || type.starts_with("ecdsa-sha2-nistp") || type == "ssh-rsa";
}

Result<Keys> gather(const KeyPlaces& places, Patience& patience) {
  Keys keys;
  if (auto agent = SshAgent::open(places.agent_socket, patience)) {
    Patience brief(std::min<Patience::Milliseconds>(patience.left(), std::chrono::seconds(5)),
                   patience.stop());
    auto held = agent->keys(brief);
    if (held) {
      keys.in_agent = *std::move(held);
      keys.agent.emplace(*std::move(agent));
    } else if (held.error().code == Code::cancelled) {
      return fail(std::move(held).error());
    } else {
      keys.note = held.error().what;  // a stuck agent must not keep the files from being tried
    }
  }
  if (places.explicit_key) {
    auto key = read_key_file(*places.explicit_key);
    if (!key)
      return fail({.code = Code::unauthenticated,
                   .what = "the SSH key cannot be used: " + key.error().what,
                   .next_step = "name a readable private key"});
    keys.files.push_back(*std::move(key));
  }
  if (auto ours = read_key_file(places.own_folder / "id_ed25519")) keys.files.push_back(*std::move(ours));
  for (const char* name : kDefaultNames)
    if (auto key = read_key_file(places.ssh_folder / name)) keys.files.push_back(*std::move(key));
  return keys;
}

std::string encrypted_note(const KeyFile& key) {
  return "the key " + key.path.string() + " is protected by a passphrase and not in the agent: run ssh-add " +
         shell_quote(key.path.string());
}

/// Whether we can log in with it, asking nobody.
bool usable(const Keys& keys, const KeyFile& key, std::string& why_not) {
  if (key.encrypted && !(key.pub && keys.agent_has(key.pub->blob))) {
    why_not = encrypted_note(key);
    return false;
  }
  if (!key.encrypted && !key.open) {
    why_not =
        "the key " + key.path.string() + " cannot be read: it is damaged, or neither ed25519, ECDSA nor RSA";
    return false;
  }
  return true;
}

/// The key to attach among those that exist; nullptr when ours has to be made.
Result<const KeyFile*> attached(const KeyPlaces& places, const Keys& keys) {
  std::string why_not;
  for (const KeyFile& key : keys.files) {
    const bool is_explicit = places.explicit_key && &key == &keys.files.front();
    const bool is_ours = key.path.parent_path() == places.own_folder;
    if (is_ours && !is_explicit) continue;
    // Of the user's own keys only those whose public half lies beside them: the others are not meant to be
    // handed out.
    std::error_code bad;
    const bool shown = is_explicit || std::filesystem::exists(key.path.string() + ".pub", bad);
    if (usable(keys, key, why_not) && key.pub && shown) return &key;
    if (!is_explicit) continue;
    if (why_not.empty()) why_not = "its public half " + key.path.string() + ".pub is missing";
    return fail({.code = Code::unauthenticated,
                 .what = "the SSH key " + key.path.string() + " cannot be used: " + why_not,
                 .next_step = "fix that, or name another key"});
  }
  for (const KeyFile& key : keys.files)
    if (key.path.parent_path() == places.own_folder && key.pub) return &key;
  return nullptr;
}

struct Attempt {
  std::string blob;
  const KeyFile* file = nullptr;  ///< nullptr: the agent signs
};

std::vector<Attempt> in_order(const KeyPlaces& places, const Keys& keys, std::string& note) {
  std::vector<Attempt> attempts;
  const auto add = [&](const std::string& blob, const KeyFile* file) {
    const bool known = !blob.empty() && std::any_of(attempts.begin(), attempts.end(),
                                                    [&](const Attempt& a) { return a.blob == blob; });
    if (!known && attempts.size() < kMostKeys) attempts.push_back({blob, file});
  };
  const auto add_file = [&](const KeyFile& key) {
    const std::string blob = key.pub ? key.pub->blob : "";
    if (key.encrypted) {
      if (!blob.empty() && keys.agent_has(blob)) return add(blob, nullptr);
      note = encrypted_note(key);
      return;
    }
    if (key.open)
      add(blob, &key);
    else
      usable(keys, key, note);
  };
  if (places.explicit_key && !keys.files.empty()) add_file(keys.files.front());
  if (const auto first = attached(places, keys); first && *first != nullptr)
    for (const KeyFile& key : keys.files)
      if (key.pub && key.pub->blob == (*first)->pub->blob) add_file(key);
  for (const KeyFile& key : keys.files)
    if (key.path.parent_path() == places.own_folder) add_file(key);
  for (const AgentKey& key : keys.in_agent)
    if (is_simple_type(type_of(key.blob))) add(key.blob, nullptr);
  for (const KeyFile& key : keys.files) add_file(key);
  return attempts;
}

struct Signing {
  SshAgent* agent;
  const Attempt* attempt;
  Patience* patience;
  std::optional<Error> trouble = {};
};

int sign_login(LIBSSH2_SESSION*, unsigned char** signature, std::size_t* size, const unsigned char* data,
               std::size_t data_size, void** abstract) {
  auto* signing = static_cast<Signing*>(*abstract);
  const std::string_view request(reinterpret_cast<const char*>(data), data_size);
  const Attempt& by = *signing->attempt;
  auto made = by.file != nullptr ? by.file->open->sign(login_algorithm(request), request)
                                 : signing->agent->sign(by.blob, request, *signing->patience);
  if (!made) {
    signing->trouble = std::move(made).error();
    return -1;
  }
  *signature = static_cast<unsigned char*>(std::malloc(made->size()));  // the library frees it
  if (*signature == nullptr) return -1;
  std::memcpy(*signature, made->data(), made->size());
  *size = made->size();
  return 0;
}

/// The public half as libssh2 is to send it. Up to 1.10 it asks for "ssh-rsa" signatures, by SHA-1, which
/// servers no longer accept; it takes the algorithm's name from the blob, and servers read a key under the
/// names of its algorithms just as well. From 1.11 on it chooses by what the server announced.
std::string shown_to_server(const std::string& blob) {
  if (type_of(blob) != "ssh-rsa" || ::libssh2_version(0x010b00) != nullptr) return blob;
  std::string named;
  put_string(named, "rsa-sha2-512");
  return named + blob.substr(4 + std::string_view("ssh-rsa").size());
}

/// One key: 0 when let in, otherwise libssh2's complaint.
Result<long> try_key(SshSession& session, const std::string& user, const Attempt& attempt, Keys& keys,
                     Patience& patience) {
  LIBSSH2_SESSION* s = session.raw();
  Signing signing{keys.agent ? &*keys.agent : nullptr, &attempt, &patience};
  void* abstract = &signing;
  const std::string blob = shown_to_server(attempt.blob);
  auto answered = session.repeat(
      [&]() -> long {
        return ::libssh2_userauth_publickey(s, user.c_str(),
                                            reinterpret_cast<const unsigned char*>(blob.data()), blob.size(),
                                            &sign_login, &abstract);
      },
      SshSession::Wait::until_done, patience);
  if (!answered) return fail(std::move(answered).error().during("logging in"));
  if (signing.trouble && signing.trouble->code == Code::cancelled) return fail(*std::move(signing.trouble));
  return **answered;
}

bool link_is_gone(long rc) {
  return rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_SEND ||
         rc == LIBSSH2_ERROR_SOCKET_RECV || rc == LIBSSH2_ERROR_BAD_SOCKET;
}

}  // namespace

Result<PublicKey> key_to_attach(const KeyPlaces& places, Patience& patience) {
  auto keys = gather(places, patience);
  if (!keys) return fail(std::move(keys).error());
  auto there = attached(places, *keys);
  if (!there) return fail(std::move(there).error());
  if (*there != nullptr) return *(*there)->pub;
  auto made = own_key(places.own_folder);
  if (!made)
    return fail({.code = Code::unauthenticated,
                 .what = "there is no SSH key and none can be made: " + made.error().what,
                 .next_step = made.error().next_step});
  return *std::move(made->pub);
}

std::filesystem::path file_to_attach(const KeyPlaces& places, Patience& patience) {
  const auto keys = gather(places, patience);
  const auto there = keys ? attached(places, *keys) : fail(keys.error());
  return there && *there != nullptr ? (*there)->path : std::filesystem::path();
}

Result<void> log_in(SshSession& session, const std::string& user, const KeyPlaces& places,
                    Patience& patience) {
  auto keys = gather(places, patience);
  if (!keys) return fail(std::move(keys).error());
  std::string note = keys->note;
  const auto attempts = in_order(places, *keys, note);
  int refused = 0;
  for (const Attempt& attempt : attempts) {
    auto rc = try_key(session, user, attempt, *keys, patience);
    if (!rc) return fail(std::move(rc).error());
    if (*rc == 0) return {};
    log_debug("ssh key refused file=", attempt.file ? attempt.file->path.string() : "agent", " rc=", *rc);
    // A link that is cut in the middle reads as a refusal otherwise.
    if (link_is_gone(*rc) || !session.looks_alive()) {
      if (refused == 0) return fail(session.broke("logging in"));
      break;  // the server hangs up after too many keys
    }
    ++refused;
  }
  Error denied{.code = Code::unauthenticated,
               .what = refused == 0 ? "there is no SSH key to log in with"
                                    : text("the machine refuses our SSH key (", refused, " tried)"),
               .next_step = "attach the public key to the instance again; it may take a minute to arrive"};
  if (!note.empty()) denied.what += "; " + note;
  return fail(std::move(denied));
}

}  // namespace vastgpu
