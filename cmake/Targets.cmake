# How a folder becomes a library. Warnings are errors here and nowhere else.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(ENV{CCACHE_SLOPPINESS} pch_defines,time_macros)
endif()

function(vastgpu_own_target target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
  # g++ 12 and 13 see out-of-bounds access and unset members inside std::string, std::vector and std::regex once they
  # inline them; newer ones do not. The dev preset does not optimise and keeps all warnings.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14 AND
     (VASTGPU_SANITIZE OR NOT CMAKE_BUILD_TYPE STREQUAL "Debug"))
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread
                           -Wno-restrict -Wno-maybe-uninitialized)
  endif()
  if(VASTGPU_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${VASTGPU_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PRIVATE -fsanitize=${VASTGPU_SANITIZE})
  endif()
endfunction()

# vastgpu_library(NAME [FOLDER folder] [ONLY file...] [WITHOUT file...] [USES library...] [PRIVATE target...])
# USES names the folders this one may include; PRIVATE names libraries that no other folder sees. A folder is one library,
# unless a part of it is wanted alone: ONLY names that part's sources, WITHOUT leaves them out of the rest.
function(vastgpu_library name)
  cmake_parse_arguments(ARG "" "FOLDER" "ONLY;WITHOUT;USES;PRIVATE" ${ARGN})
  if(NOT ARG_FOLDER)
    set(ARG_FOLDER ${name})
  endif()
  if(ARG_ONLY)
    list(TRANSFORM ARG_ONLY PREPEND ${PROJECT_SOURCE_DIR}/${ARG_FOLDER}/ OUTPUT_VARIABLE sources)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${ARG_FOLDER}/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/main.cpp$")
    list(TRANSFORM ARG_WITHOUT PREPEND ${PROJECT_SOURCE_DIR}/${ARG_FOLDER}/ OUTPUT_VARIABLE elsewhere)
    list(REMOVE_ITEM sources ${elsewhere})
  endif()
  add_library(vastgpu_${name} STATIC ${sources})
  target_include_directories(vastgpu_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_definitions(vastgpu_${name} PUBLIC JSON_DIAGNOSTICS=1 VASTGPU_VERSION="${PROJECT_VERSION}")
  target_link_libraries(vastgpu_${name}
    PUBLIC nlohmann_json::nlohmann_json tl::expected Threads::Threads
    PRIVATE OpenSSL::Crypto ${ARG_PRIVATE})
  foreach(folder IN LISTS ARG_USES)
    target_link_libraries(vastgpu_${name} PUBLIC vastgpu_${folder})
  endforeach()
  vastgpu_own_target(vastgpu_${name})
  if(name STREQUAL "core")
    target_precompile_headers(vastgpu_core PRIVATE core/precompiled.h)
  else()
    target_precompile_headers(vastgpu_${name} REUSE_FROM vastgpu_core)
  endif()
endfunction()
