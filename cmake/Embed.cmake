# Puts text files into C++ files: what the program needs wherever it is installed.
# vastgpu_embed_folder(TARGET NAME FOLDER) adds `const std::vector<EmbeddedFile>& NAME()`, declared in server/embedded.h.
function(vastgpu_embed_folder target name folder)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  set(entries "")
  foreach(file IN LISTS files)
    file(READ ${folder}/${file} content)
    string(APPEND entries "      {\"${file}\", R\"embedded(${content})embedded\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${file})
  endforeach()
  set(out ${PROJECT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT "#include \"server/embedded.h\"

namespace vastgpu {

const std::vector<EmbeddedFile>& @name@() {
  static const std::vector<EmbeddedFile> kFiles{
@entries@  };
  return kFiles;
}

}  // namespace vastgpu
")
  target_sources(${target} PRIVATE ${out})
endfunction()

# vastgpu_embed_file(TARGET NAME FILE) adds `std::string_view NAME()` in namespace vastgpu::embedded.
function(vastgpu_embed_file target name file)
  file(READ ${file} content)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  set(out ${PROJECT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT "#include <string_view>

namespace vastgpu::embedded {

std::string_view @name@() { return R\"embedded(@content@)embedded\"; }

}  // namespace vastgpu::embedded
")
  target_sources(${target} PRIVATE ${out})
endfunction()
