# Included by CMake right after llama.cpp's `project()`, before it adds a target. The sources beside it are
# the pinned ones, unpacked for this one build; what is changed in them is changed here and nowhere else.
#
# ANOMALYGPT_EDGE_KERNELS: the kernel variants to build, of those that ggml's CMakeLists.txt names.
# ANOMALYGPT_EDGE_RECIPE: a file that tells in the wheel what it was built from.

install(FILES "${ANOMALYGPT_EDGE_RECIPE}" DESTINATION llama_cpp/lib)

# The package's build switches llama.cpp's command line helpers on, a third of the work; not used.
set(LLAMA_BUILD_COMMON OFF)

# Replaces a text that must be in a file exactly once, so that another version of the source is noticed.
function(mend file found wanted)
    file(READ "${CMAKE_CURRENT_SOURCE_DIR}/${file}" text)
    string(REPLACE "${found}" "" rest "${text}")
    string(LENGTH "${text}" text_length)
    string(LENGTH "${rest}" rest_length)
    string(LENGTH "${found}" found_length)
    math(EXPR expected "${rest_length} + ${found_length}")
    if(NOT text_length EQUAL expected)
        message(FATAL_ERROR "error: ${file} cannot be mended: it does not hold this text once: ${found}")
    endif()
    string(REPLACE "${found}" "${wanted}" text "${text}")
    file(WRITE "${CMAKE_CURRENT_SOURCE_DIR}/${file}" "${text}")
endfunction()

# GCC's header (12.2 for one) declares the operand of `ldtilecfg` as 8 bytes in place of 64. So from -O1 on
# the stores to the tiles' rows and columns are removed as dead, every tile is empty, and the first
# `tilezero` kills the process with SIGILL. The barrier makes all 64 bytes be written before.
# https://github.com/ggml-org/llama.cpp/pull/26954
mend(ggml/src/ggml-cpu/amx/mmq.cpp
    "    _tile_loadconfig(&tc);"
    "    __asm__ volatile(\"\" : : \"r\"(&tc) : \"memory\");
    _tile_loadconfig(&tc);")

# All variants take minutes, and one machine uses one of them.
mend(ggml/src/CMakeLists.txt
    "function(ggml_add_cpu_backend_variant tag_name)"
    "function(ggml_add_cpu_backend_variant tag_name)
    if(NOT tag_name IN_LIST ANOMALYGPT_EDGE_KERNELS)
        return()
    endif()")

# No arithmetic in there, and half of the compiler's time: a verdict takes as long with -O1 as with -O3.
mend(src/CMakeLists.txt
    "target_include_directories(llama PRIVATE . \${CMAKE_CURRENT_BINARY_DIR})"
    "target_include_directories(llama PRIVATE . \${CMAKE_CURRENT_BINARY_DIR})
target_compile_options(llama PRIVATE -O1)")
