// SSH keys of the account and of instances; API keys; secrets.
#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

bool looks_like_a_key(const std::string& text) {
  static const std::vector<std::string> kinds{"ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-ssh-",
                                              "sk-ecdsa-"};
  return text.find('\n') == std::string::npos &&
         std::ranges::any_of(kinds, [&](const std::string& k) { return text.starts_with(k); });
}

std::optional<std::string> key_in(const json& in) {
  auto key = read_field<std::string>(in, "ssh_key");
  if (!key) return std::nullopt;
  std::string trimmed(trim(*key));
  return looks_like_a_key(trimmed) ? std::optional(trimmed) : std::nullopt;
}

json row(const SshKey& k) {
  return {{"id", k.id},
          {"user_id", 7},
          {"public_key", k.text},
          {"created_at", k.created},
          {"deleted_at", nullptr}};
}

Reply no_key() { return refuse(400, "no_ssh_key", "Please give an SSH public key."); }

Reply list_account(Shop& shop, const Call&) {
  json out = json::array();
  for (const SshKey& k : shop.account.ssh_keys) out.push_back(row(k));
  return answer_with(out);
}

Reply add_account(Shop& shop, const Call& call) {
  if (shop.faults.fire("team-keys"))
    return refuse(400, "team_ssh_keys_not_supported", "Team keys cannot hold SSH keys.");
  const auto key = key_in(call.input);
  if (!key) return no_key();
  auto& keys = shop.account.ssh_keys;
  const auto same = std::ranges::find(keys, *key, &SshKey::text);
  if (same != keys.end()) return answer_with({{"success", true}, {"key", row(*same)}});
  keys.push_back({shop.account.next_id++, *key, shop.world.now()});
  return answer_with({{"success", true}, {"key", row(keys.back())}});
}

Reply update_account(Shop& shop, const Call& call) {
  const auto at = std::ranges::find(shop.account.ssh_keys, call.id(), &SshKey::id);
  if (at == shop.account.ssh_keys.end()) return refuse(404, "not_found", "No such SSH key.");
  const auto key = key_in(call.input);
  if (!key) return no_key();
  at->text = *key;
  return answer_with({{"success", true}, {"key", row(*at)}});
}

Reply remove_account(Shop& shop, const Call& call) {
  const auto gone = std::erase_if(shop.account.ssh_keys, [&](const SshKey& k) { return k.id == call.id(); });
  return gone ? success() : refuse(404, "not_found", "No such SSH key.");
}

Reply list_instance(Shop& shop, const Call& call) {
  const Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  json out = json::array();
  for (const SshKey& k : c->keys) out.push_back(row(k));
  return answer_with({{"success", true}, {"ssh_keys", dump(out)}});  // JSON inside a string, as the real one
}

Reply attach(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const auto key = key_in(call.input);
  if (!key) return no_key();
  if (!c->fault("ssh-denied")) c->keys_accepted = true;  // a key that was lost works again
  const bool known = std::ranges::find(c->keys, *key, &SshKey::text) != c->keys.end();
  if (!known) c->keys.push_back({shop.account.next_id++, *key, shop.world.now()});
  shop.world.set_keys(*c);
  return answer_with(
      {{"success", true},
       {"msg", known ? "SSH key is already associated with this instance." : "SSH key added to instance."}});
}

Reply detach(Shop& shop, const Call& call) {
  Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  if (!std::erase_if(c->keys, [&](const SshKey& k) { return k.id == call.ids.at(1); }))
    return refuse(404, "not_found", "No such SSH key on this instance.");
  shop.world.set_keys(*c);
  return success();
}

Reply list_api_keys(Shop& shop, const Call&) {
  json out = json::array({{{"id", 1}, {"name", "main"}, {"permissions", json::object()}}});
  for (const ApiKey& k : shop.account.more_keys)
    out.push_back({{"id", k.id}, {"name", k.name}, {"permissions", k.permissions}});
  return answer_with({{"success", true}, {"apikeys", out}});
}

Reply add_api_key(Shop& shop, const Call& call) {
  ApiKey k{shop.account.next_id++, read_field<std::string>(call.input, "name").value_or(""), random_hex(32),
           call.input.value("permissions", json::object())};
  shop.account.more_keys.push_back(k);
  return answer_with({{"success", true}, {"id", k.id}, {"key", k.key}, {"permissions", k.permissions}});
}

Reply remove_api_key(Shop& shop, const Call& call) {
  const auto gone = std::erase_if(shop.account.more_keys, [&](const ApiKey& k) { return k.id == call.id(); });
  if (!gone) return refuse(404, "not_found", "No such API key.");
  return {.status = 200, .body = "API key deleted", .content_type = "text/plain"};
}

std::string upper(std::string s) {
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return s;
}

Reply list_secrets(Shop& shop, const Call&) {
  json out = json::object();
  for (const auto& [name, value] : shop.account.secrets) out[name] = "****";
  return answer_with({{"success", true}, {"secrets", out}});
}

Reply put_secret(Shop& shop, const Call& call) {
  const auto key = read_field<std::string>(call.input, "key");
  if (!key || key->empty()) return refuse(400, "invalid_args", "error 400/3467: Invalid args: key");
  shop.account.secrets[upper(*key)] = read_field<std::string>(call.input, "value").value_or("");
  return success();
}

Reply remove_secret(Shop& shop, const Call& call) {
  const auto gone =
      shop.account.secrets.erase(upper(read_field<std::string>(call.input, "key").value_or("")));
  return gone ? success() : refuse(404, "not_found", "No such secret.");
}

}  // namespace

void add_key_routes(std::vector<Route>& routes) {
  routes.push_back({"GET", "/api/v0/ssh", list_account});
  routes.push_back({"POST", "/api/v0/ssh", add_account});
  routes.push_back({"PUT", "/api/v0/ssh/{}", update_account});
  routes.push_back({"DELETE", "/api/v0/ssh/{}", remove_account});
  routes.push_back({"GET", "/api/v0/instances/{}/ssh", list_instance});
  routes.push_back({"POST", "/api/v0/instances/{}/ssh", attach});
  routes.push_back({"DELETE", "/api/v0/instances/{}/ssh/{}", detach});
  routes.push_back({"GET", "/api/v0/auth/apikeys", list_api_keys});
  routes.push_back({"POST", "/api/v0/auth/apikeys", add_api_key});
  routes.push_back({"DELETE", "/api/v0/auth/apikeys/{}", remove_api_key});
  routes.push_back({"GET", "/api/v0/secrets", list_secrets});
  routes.push_back({"POST", "/api/v0/secrets", put_secret});
  routes.push_back({"PUT", "/api/v0/secrets", put_secret});
  routes.push_back({"DELETE", "/api/v0/secrets", remove_secret});
}

}  // namespace vastgpu::sandbox
