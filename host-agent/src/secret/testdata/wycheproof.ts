// SPDX-License-Identifier: Apache-2.0
// Of Wycheproof's vectors of AES-GCM (aes_gcm_test.json, version 0.9rc5), from the group of keys of 256 bits, nonces of 96 and tags of 128,
// which is the one kind that a store has: `tc` is its number of a case. Figures only; the file is Apache-2.0 of its authors.

export const VALID = [
  { tc: 102, key: 'f32364b1d339d82e4f132d8f4a0ec1ff7e746517fa07ef1a7f422f4e25a48194', nonce: '5a86a50a0e8a179c734b996d', aad: 'ab2ac7c44c60bdf8228c7884adb20184', plain: '43891bccb522b1e72a6b53cf31c074e9d6c2df8e', cipher: '43dda832e942e286da314daa99bef5071d9d2c78', tag: 'c3922583476ced575404ddb85dd8cd44' },
  { tc: 103, key: 'ff0089ee870a4a39f645b0a5da774f7a5911e9696fc9cad646452c2aa8595a12', nonce: 'bc2a7757d0ce2d8b1f14ccd9', aad: '972ab4e06390caae8f99dd6e2187be6c7ff2c08a24be16ef', plain: '748b28031621d95ee61812b4b4f47d04c6fc2ff3', cipher: 'a929ee7e67c7a2f91bbcec6389a3caf43ab49305', tag: 'ebec6774b955e789591c822dab739e12' },
  { tc: 104, key: '6efca98126918ab564d88c6bec02e8998b2be50e3f906ff9adfdd185f373e756', nonce: '4abd6cfc83bd06b11efaa2a7', aad: '', plain: 'bbec79c086d41e602d090f7e40494d6bf3faa1dc6df0ab8a88ea5d35d426b248c2ad880351e223f6170d37cc9655e10459e59cbd6d1c092ed31d72ccc7af20', cipher: '97b4c73a4d8b5b21bc4b50dbb70dfa77b1a7bf0bbe7cf16ecf5bb60ba8070acc5740780435ed145a62a613dd9881b721168fbb3f5af385ee5d4f856cf93cba', tag: '27ac8c4010d8e81b7051ceb06b30fe2d' },
  { tc: 105, key: '5b1d1035c0b17ee0b0444767f80a25b8c1b741f4b50a4d3052226baa1c6fb701', nonce: 'd61040a313ed492823cc065b', aad: '', plain: 'd096803181beef9e008ff85d5ddc38ddacf0f09ee5f7e07f1e4079cb64d0dc8f5e6711cd4921a7887de76e2678fdc67618f1185586bfea9d4c685d50e4bb9a82', cipher: 'c7d191b601f86c28b6a1bdef6a57b4f6ee3ae417bc125c381cdf1c4dac184ed1d84f1196206d62cad112b038845720e02c061179a8836f02b93fa7008379a6bf', tag: 'f15612f6c40f2e0db6dc76fc4822fcfe' },
  { tc: 106, key: '81b6b27e5ed90ab99fe6756d4cb41e3f07269687f5afabdb426e29096b5e4466', nonce: '13e727486031cca21f733375', aad: '', plain: '9a95a23cfb1e35d89a7597570df0fb0efcbb7429f53bebcbbfa49fa247b251a8508ad497066855d08688576188e4ffb12d1d084dcabec3d57806daf215dcc97edd', cipher: '7ede7368bca3c93d9f1d7f7750d6e44b1cb92c30e3c9834b0b69efd2470911644ae6f6d75715e13aea8781f8da611a13ac6364c406c1a715b7e97acb22b6e6156e', tag: '74e20a93802f43407c8989a37f013802' },
  { tc: 128, key: '00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f', nonce: '000000000000000000000000', aad: '', plain: '561008fa07a68f5c61285cd013464eaf', cipher: '23293e9b07ca7d1b0cae7cc489a973b3', tag: 'ffffffffffffffffffffffffffffffff' },
  { tc: 129, key: '00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f', nonce: 'ffffffffffffffffffffffff', aad: '', plain: 'c6152244cea1978d3e0bc274cf8c0b3b', cipher: '7cb6fc7c6abc009efe9551a99f36a421', tag: '00000000000000000000000000000000' },
] as const;

/** Cases 130 to 156: one message, and tags that are not its own. */
export const FORGED = {
  key: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
  nonce: '505152535455565758595a5b',
  cipher: 'b2061457c0759fc1749f174ee1ccadfa',
  plain: '202122232425262728292a2b2c2d2e2f',
  firstTc: 130,
  tags: [
    '9de8fef6d8ab1bf1bf887232eab590dd', '9ee8fef6d8ab1bf1bf887232eab590dd', '1ce8fef6d8ab1bf1bf887232eab590dd', '9ce9fef6d8ab1bf1bf887232eab590dd',
    '9ce8fe76d8ab1bf1bf887232eab590dd', '9ce8fef6d9ab1bf1bf887232eab590dd', '9ce8fef6daab1bf1bf887232eab590dd', '9ce8fef6d8ab1b71bf887232eab590dd',
    '9ce8fef6d8ab1bf1be887232eab590dd', '9ce8fef6d8ab1bf13f887232eab590dd', '9ce8fef6d8ab1bf1bfa87232eab590dd', '9ce8fef6d8ab1bf1bf887332eab590dd',
    '9ce8fef6d8ab1bf1bf887232ebb590dd', '9ce8fef6d8ab1bf1bf887232e8b590dd', '9ce8fef6d8ab1bf1bf8872326ab590dd', '9ce8fef6d8ab1bf1bf887232eab590dc',
    '9ce8fef6d8ab1bf1bf887232eab590df', '9ce8fef6d8ab1bf1bf887232eab5909d', '9ce8fef6d8ab1bf1bf887232eab5905d', '9de8fef6d8ab1bf1be887232eab590dd',
    '9ce8fe76d8ab1b71bf887232eab590dd', '9ce8fef6d8ab1b71bf887232eab5905d', '631701092754e40e40778dcd154a6f22', '00000000000000000000000000000000',
    'ffffffffffffffffffffffffffffffff', '1c687e76582b9b713f08f2b26a35105d', '9de9fff7d9aa1af0be897333ebb491dc',
  ],
} as const;
