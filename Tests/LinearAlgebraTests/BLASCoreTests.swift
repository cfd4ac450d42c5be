import LinearAlgebra
import Testing

/// Which kernels suit a processor.
@Suite struct BLASCoreTests {
    static let avx2: Set<String> = ["avx2", "fma"]
    static let avx512 = avx2.union(["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"])

    @Test func slowKernelsAreNoticed() {
        #expect(BLASCore(used: "Prescott", flags: Self.avx512).wanted == "SkylakeX")
        #expect(BLASCore(used: "Prescott", flags: Self.avx2).wanted == "Haswell")
        #expect(BLASCore(used: "Haswell", flags: Self.avx512).wanted == "SkylakeX")
    }

    @Test func rightKernelsAreLeftAlone() {
        for used in ["SkylakeX", "Cooperlake", "SapphireRapids"] {
            #expect(BLASCore(used: used, flags: Self.avx512).isRight)
        }
        for used in ["Haswell", "Zen"] { #expect(BLASCore(used: used, flags: Self.avx2).isRight) }
        #expect(BLASCore(used: "Nehalem", flags: []).isRight)
    }
}
