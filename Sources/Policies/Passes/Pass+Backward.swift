import CKernels
import LinearAlgebra

/// The backward pass of the transformer.
extension Pass {
    /// Adds the gradients of the loss to `g`. The gradient with respect to the output must be in `space.doutput`.
    ///
    /// Must run after ``forward()`` on the same workspace.
    func backward(into g: Gradients) {
        let d = c.width
        backLinear(
            space.h,
            d,
            o.head,
            dy: space.doutput,
            dx: space.dhq,
            rows: queryRows,
            outputs: c.actionCount,
            into: g
        )
        space.dxq.update(repeating: 0, count: queryRows * d)
        backNorm(o.norm, space.dhq, space.normalised, space.rstd, dx: space.dxq, rows: queryRows, into: g)
        for layer in (0..<c.layers).reversed() { backLayer(layer, into: g) }
        // Embeddings have no adapters.
        if let weights = g.weights { backEmbed(into: weights) }
    }

    // MARK: Layers

    private func backLayer(_ index: Int, into g: Gradients) {
        let layer = space.layers[index], block = o.blocks[index]
        let d = c.width, f = c.feedForward
        let last = isLast(index)
        let queries = last ? queryRows : rows
        let stream = last ? space.dxq : space.dx

        // Feed-forward network.
        backLinear(layer.f2, f, block.fc2, dy: stream, dx: space.df, rows: queries, outputs: d, into: g)
        kumiai_gelu_backward(layer.f1, layer.tanh, space.df, space.df, Int64(queries * f))
        backLinear(layer.h2, d, block.fc1, dy: space.df, dx: space.dh, rows: queries, outputs: f, into: g)
        backNorm(block.norm2, space.dh, layer.normalised2, layer.rstd2, dx: stream, rows: queries, into: g)

        // Attention.
        backLinear(layer.context, d, block.proj, dy: stream, dx: space.dcontext, rows: queries, outputs: d, into: g)
        backAttend(layer, queries: last ? c.chunk : c.tokens)
        backLinear(
            layer.h1,
            d,
            block.qkv.rows(from: d, inputs: d),
            dy: space.dkv,
            dx: space.dh,
            rows: rows,
            outputs: 2 * d,
            into: g
        )
        if last {
            backLinear(layer.hq, d, block.qkv, dy: space.dq, dx: space.dhq, rows: queries, outputs: d, into: g)
            addToQueries(space.dhq, into: space.dh)
            space.dx.update(repeating: 0, count: rows * d)
            addToQueries(space.dxq, into: space.dx)
        } else {
            backLinear(
                layer.hq,
                d,
                block.qkv,
                dy: space.dq,
                dx: space.dh,
                rows: queries,
                outputs: d,
                adding: true,
                into: g
            )
        }
        backNorm(block.norm1, space.dh, layer.normalised1, layer.rstd1, dx: space.dx, rows: rows, into: g)
    }

    private func backAttend(_ layer: Workspace.Layer, queries: Int) {
        let d = c.width, h = c.headWidth, tokens = c.tokens
        let scale = 1 / Float(h).squareRoot()
        let dp = space.dprobabilities
        for sample in 0..<shard.count {
            for head in 0..<c.heads {
                let queryStart = sample * queries * d + head * h
                let keyStart = sample * tokens * 2 * d + head * h
                let p = layer.probabilities + (sample * c.heads + head) * queries * tokens
                let k = layer.kv + keyStart, dk = space.dkv + keyStart
                let dcontext = space.dcontext + queryStart
                BLAS.multiply(
                    dcontext,
                    d,
                    k + d,
                    2 * d,
                    bTransposed: true,
                    into: dp,
                    tokens,
                    m: queries,
                    n: tokens,
                    k: h
                )
                BLAS.multiply(
                    p,
                    tokens,
                    aTransposed: true,
                    dcontext,
                    d,
                    into: dk + d,
                    2 * d,
                    m: tokens,
                    n: h,
                    k: queries
                )
                kumiai_softmax_backward(p, dp, Int64(queries), Int64(tokens), Int64(tokens), scale)
                BLAS.multiply(dp, tokens, k, 2 * d, into: space.dq + queryStart, d, m: queries, n: h, k: tokens)
                BLAS.multiply(
                    dp,
                    tokens,
                    aTransposed: true,
                    layer.q + queryStart,
                    d,
                    into: dk,
                    2 * d,
                    m: tokens,
                    n: h,
                    k: queries
                )
            }
        }
    }

    private func addToQueries(_ queries: UnsafePointer<Float>, into all: UnsafeMutablePointer<Float>) {
        let count = c.chunk * c.width
        for sample in 0..<shard.count {
            kumiai_add(all + (sample + 1) * c.tokens * c.width - count, queries + sample * count, Int64(count))
        }
    }

    /// Sets dx = dy·W (adds if `adding`), and adds the gradients of W and b, or of the adapter's factors.
    private func backLinear(
        _ x: UnsafePointer<Float>,
        _ inputs: Int,
        _ linear: Offsets.Linear,
        dy: UnsafePointer<Float>,
        dx: UnsafeMutablePointer<Float>,
        rows: Int,
        outputs: Int,
        adding: Bool = false,
        into g: Gradients
    ) {
        BLAS.multiply(
            dy,
            outputs,
            w + linear.weight,
            inputs,
            into: dx,
            inputs,
            m: rows,
            n: inputs,
            k: outputs,
            adding: adding
        )
        if let weights = g.weights {
            BLAS.multiply(
                dy,
                outputs,
                aTransposed: true,
                x,
                inputs,
                into: weights + linear.weight,
                inputs,
                m: outputs,
                n: inputs,
                k: rows,
                adding: true
            )
            kumiai_bias_backward(dy, weights + linear.bias, Int64(rows), Int64(outputs))
        }
        if let gradient = g.factors, let module = linear.factors {
            backFactors(x, inputs, module, dy: dy, rows: rows, outputs: outputs, into: gradient)
        }
    }

    /// Adds s·dyᵀ·(x·Aᵀ) to dB and s·(dy·B)ᵀ·x to dA, without computing the much larger gradient of W.
    private func backFactors(
        _ x: UnsafePointer<Float>,
        _ inputs: Int,
        _ module: Offsets.Factors,
        dy: UnsafePointer<Float>,
        rows: Int,
        outputs: Int,
        into g: UnsafeMutablePointer<Float>
    ) {
        guard let factors else { return }
        let r = module.rank
        BLAS.multiply(
            x,
            inputs,
            factors + module.a,
            inputs,
            bTransposed: true,
            into: space.down,
            r,
            m: rows,
            n: r,
            k: inputs
        )
        BLAS.multiply(dy, outputs, factors + module.b, r, into: space.ddown, r, m: rows, n: r, k: outputs)
        BLAS.multiply(
            dy,
            outputs,
            aTransposed: true,
            space.down,
            r,
            into: g + module.b,
            r,
            m: outputs,
            n: r,
            k: rows,
            scale: scale,
            adding: true
        )
        BLAS.multiply(
            space.ddown,
            r,
            aTransposed: true,
            x,
            inputs,
            into: g + module.a,
            inputs,
            m: r,
            n: inputs,
            k: rows,
            scale: scale,
            adding: true
        )
    }

    private func backNorm(
        _ norm: Offsets.Norm,
        _ dy: UnsafePointer<Float>,
        _ normalised: UnsafePointer<Float>,
        _ rstd: UnsafePointer<Float>,
        dx: UnsafeMutablePointer<Float>,
        rows: Int,
        into g: Gradients
    ) {
        kumiai_layer_norm_backward(
            dy,
            normalised,
            rstd,
            w + norm.weight,
            dx,
            g.weights.map { $0 + norm.weight } ?? space.unwanted,
            g.weights.map { $0 + norm.bias } ?? space.unwanted + c.width,
            Int64(rows),
            Int64(c.width)
        )
    }
}
