#include "analysis/markdown.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("every line knows what it is, where it stands and under which heading") {
  const auto lines = read_markdown(
      "Title\n=====\n"              // 1
      "\n> - quoted: item\n"        // 4
      "## Costs ##\n"               // 5
      "1. first\n"                  // 6
      "  - [x] second\n"            // 7
      "| A | B \\| C |\n"           // 8
      "|---|---|\n"                 // 9
      "| 1 | **2** |\n"             // 10
      "| only one\n"                // 11
      "\nplain | text\n"            // 13
      "~~~sh\n# no heading\n~~~\n"  // 15
      "#!/bin/sh and #tag\n");      // 17
  REQUIRE(lines.size() == 11);
  CHECK(lines[0].kind == MarkKind::heading);
  CHECK(lines[0].text == "Title");
  CHECK(lines[1].kind == MarkKind::item);
  CHECK(lines[1].heading == "Title");
  CHECK(lines[2].text == "Costs");
  CHECK(lines[2].level == 2);
  CHECK(lines[3].text == "first");
  CHECK(lines[4].text == "second");
  CHECK(lines[5].kind == MarkKind::table_head);
  CHECK(lines[5].cells == std::vector<std::string>{"A", "B | C"});
  CHECK(lines[6].kind == MarkKind::table_row);
  CHECK(lines[6].line == 10);
  CHECK(lines[7].cells == std::vector<std::string>{"only one", ""});
  CHECK(lines[8].kind == MarkKind::text);
  CHECK(lines[9].kind == MarkKind::code);
  CHECK(lines[9].line == 15);
  CHECK(lines[9].heading == "Costs");
  CHECK(lines[10].kind == MarkKind::text);
}

TEST_CASE("an open fence hides what follows, unless it is opened on purpose") {
  const char* text = "```\n- a: 1\n## H\n";
  CHECK(read_markdown(text).back().kind == MarkKind::code);
  const auto opened = read_markdown(text, Fences::opened);
  REQUIRE(opened.size() == 2);
  CHECK(opened[0].kind == MarkKind::item);
  CHECK(opened[0].line == 2);
  CHECK(opened[1].kind == MarkKind::heading);
}

TEST_CASE("labels lose their emphasis, values keep theirs") {
  CHECK(read_label("**GPU-hours**: ~6").name == "GPU-hours");
  CHECK(read_label("**GPU-hours:** ~6").value == " ~6");
  CHECK(read_label("`image`: `a:b`").value == " `a:b`");
  CHECK(read_label("硬件：2 张").name == "硬件");
  CHECK_FALSE(read_label("see https://example.org").name == "see https");
  CHECK_FALSE(read_label("12:30").found);
  CHECK_FALSE(read_label("no label here").found);
}

TEST_CASE("comments and struck words give nothing, products keep their stars, about keeps its tilde") {
  const auto lines = read_markdown(
      "a <!-- hidden --> b\n\n<!--\nhidden\n-->\n\n"
      "~~old~~ new, ~6h to ~7h\n\nbatch 4*16*2=128 and **bold** `code`\n\n6 h<br>on 4 GPUs\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].text == "a  b");
  CHECK(lines[1].text == "new, ~6h to ~7h");
  CHECK(lines[1].line == 7);
  CHECK(lines[2].text == "batch 4*16*2=128 and bold `code`");
  CHECK(lines[3].text == "6 h on 4 GPUs");
}

TEST_CASE("front matter is text, a sentence above a ruler is no heading, wrapped lines keep their numbers") {
  const auto lines = read_markdown(
      "---\ntitle: x\n- gpu: y\n---\n**Budget**: 9 GPU-hours\n---\nTitle\n===\none\n`two\nthree` four\n");
  REQUIRE(lines.size() == 6);
  CHECK(lines[0].text == "title: x");
  CHECK(lines[0].line == 2);
  CHECK(lines[1].kind == MarkKind::text);
  CHECK(lines[2].kind == MarkKind::text);
  CHECK(lines[2].text == "Budget: 9 GPU-hours");
  CHECK(lines[2].line == 5);
  CHECK(lines[3].kind == MarkKind::heading);
  CHECK(lines[5].line == 10);
}

TEST_CASE("a table with a miscounted ruler, or right below a list, is still a table") {
  const auto lines = read_markdown("- item\n| A | B | C |\n|---|---|\n| 1 | 2 | 3 |\n\nafter\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[1].kind == MarkKind::table_head);
  CHECK(lines[1].line == 2);
  CHECK(lines[2].cells == std::vector<std::string>{"1", "2", "3"});
  CHECK(lines[2].line == 4);
  CHECK(lines[3].line == 6);
}
