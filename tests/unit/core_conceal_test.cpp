#include "core/conceal.h"

#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("what was given as a secret is never shown, wherever it stands") {
  conceal_from_now(Secret("correct-horse-battery"));
  CHECK(concealed("before correct-horse-battery after") == "before *** after");
  CHECK(concealed("correct-horse-battery,correct-horse-battery") == "***,***");
  CHECK(concealed_document(json{{"a", {{"b", {1, "x correct-horse-battery"}}}}}) ==
        json{{"a", {{"b", {1, "x ***"}}}}});
  // A password may be a common word: names of fields stay, and so do longer words.
  conceal_from_now(Secret("instance"));
  CHECK(concealed_document(json{{"instance", "instances of instance_id"}}) ==
        json{{"instance", "instances of instance_id"}});
  CHECK(concealed("the instance.") == "the ***.");
  conceal_from_now(Secret("short"));
  CHECK(concealed("short and sweet") == "short and sweet");
}

TEST_CASE("tokens are known by their names and beginnings, plain words stay") {
  const std::string random = "a1B2c3D4e5F6g7H8i9";
  for (const char* before :
       {"HF_TOKEN=", "export WANDB_API_KEY=\"", "password: ", "{\"api_key\": \"", "--api-key=", "--api-key ",
        "Authorization: Bearer ", "client_secret = '", "{\\\"token\\\":\\\""}) {
    CAPTURE(before);
    CHECK(concealed(before + random + " rest").find(random) == std::string::npos);
    CHECK(concealed(before + random + " rest").ends_with(" rest"));
  }
  CHECK(concealed("clone https://x:ghp_" + random + random + "@host/r") == "clone https://x:***@host/r");
  CHECK(concealed("hf_" + random + random) == "***");
  CHECK(concealed("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----\n") ==
        "-----BEGIN OPENSSH PRIVATE KEY-----***-----END OPENSSH PRIVATE KEY-----\n");
  CHECK(concealed("-----BEGIN RSA PRIVATE KEY-----\nMIIE") == "-----BEGIN RSA PRIVATE KEY-----***");

  for (const char* plain :
       {"/home/me/sk-learn-mnist-baseline-2024", "hf_bert_base_finetune_v2/checkpoint-500",
        "npm_run_build_2024", "sort_key=a1B2c3D4e5F6g7H8i9", "SORT_KEY: val_loss_2024_a1b2",
        "tokens: 1234567890123456", "eos_token=<|endoftext|>", "key=/workspace/project/data/set-2020a1",
        "max_token=4096", "the key: it was there", "loss 0.123 token", "hf_hub", "sk-learn is installed",
        "token", "monkey=business-as-usual-in-here",
        "ssh_key=", "SHA256:0d1f0c8a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6"})
    CHECK(concealed(plain) == plain);
}

TEST_CASE("a document's strings lose escapes and invisible text") {
  CHECK(concealed_document(json{{"na\x1b[31mme",
                                 "a\x1b]0;title\x07"
                                 "b\xE2\x80\xAE"
                                 "c\xF3\xA0\x81\x81"
                                 "d"}}) == json{{"name", "abcd"}});
}
